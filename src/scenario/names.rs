mod ahead;
mod rows;
mod tracks;
mod words;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use self::{
    ahead::find_captures,
    tracks::TrackNames,
    words::{first_words, one_of},
};
use super::{
    Input, Parameter, Rows, SessionValues,
    evaluation::is_global,
    look::{Keeps, VisibleName, VisibleNames, find},
};
use crate::{
    document::{Node, Place, Places, Problems, Value},
    driver::Origins,
};

/// In which part of a scenario an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `setup`: once per run, before any chat.
    Setup,
    /// `steps`: inside a chat.
    Chat,
    /// `always`: the end of a chat, which knows whether it passed.
    Cleanup,
    /// `teardown`: once per run, after the last chat.
    Teardown,
}

impl Section {
    /// Whether what stands here is done by a chat.
    pub(super) fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::Cleanup)
    }

    /// Whether it is the steps of a chat, of which its outcome is made.
    pub(super) fn is_steps(self) -> bool {
        self == Self::Chat
    }
}

/// Which variables exist at a point of the scenario, kept while it is read from top to bottom.
#[derive(Debug)]
pub struct Names {
    /// With their defaults. Those with a problem of their own are included: to use one is no second problem.
    inputs: BTreeMap<String, Option<Parameter>>,
    callbacks: bool,
    part: Section,
    /// What an expression looks at besides the variables. Several where a problem elsewhere keeps from knowing which.
    looks: Vec<&'static VisibleNames>,
    repeats: usize,
    /// Those of tracks with the name of the track and a dot in front, and inside their track without as well.
    captured: BTreeSet<String>,
    /// Captures of the chats, which are over when `teardown` runs.
    of_chats: BTreeSet<String>,
    /// Captures of the whole scenario: name, and the step that makes it. Those of tracks have the track in front.
    ahead: BTreeMap<String, String>,
    tracks: TrackNames,
    /// Variables of the target that the scenario uses, and where it first does.
    target: RefCell<BTreeMap<String, Place>>,
    /// What of their request expressions about events look at: see [`Keeps`].
    looks_at_request: Cell<bool>,
    looks_at_delivery: Cell<bool>,
    looks_at_raw_body: Cell<bool>,
    /// Values of sessions that the scenario uses, and where it first does.
    session_values: RefCell<BTreeMap<&'static str, Place>>,
    /// The names of the files whose rows chats take.
    rows: Vec<String>,
    /// Their columns that the scenario names, by file and column, and where it first does.
    row_columns: RefCell<BTreeMap<(String, String), Place>>,
    /// Servers that addresses of requests name.
    origins: Origins,
    /// Everything that expressions of a scenario look at.
    all_looks: Vec<&'static VisibleNames>,
    /// Any name goes: for tests of templates alone.
    open: bool,
}

impl Names {
    /// The names of a scenario of which `inputs` could be read, and whose expressions look at nothing but these.
    pub(super) fn new(
        callbacks: bool,
        scenario: &Node,
        inputs: &[Input],
        all_looks: impl IntoIterator<Item = &'static VisibleNames>,
    ) -> Self {
        let declared = match scenario.find("inputs").map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let declared = declared.iter().map(|entry| (entry.key.clone(), None));
        let defaults = inputs
            .iter()
            .map(|input| (input.name.clone(), input.default.clone()));
        let mut ahead = BTreeMap::new();
        find_captures(scenario, None, &mut ahead);
        Self {
            inputs: declared.chain(defaults).collect(),
            callbacks,
            part: Section::Setup,
            looks: Vec::new(),
            repeats: 0,
            captured: BTreeSet::new(),
            of_chats: BTreeSet::new(),
            ahead,
            tracks: TrackNames::of(scenario),
            target: RefCell::default(),
            looks_at_request: Cell::default(),
            looks_at_delivery: Cell::default(),
            looks_at_raw_body: Cell::default(),
            session_values: RefCell::default(),
            rows: Rows::declared(scenario),
            row_columns: RefCell::default(),
            origins: Origins::default(),
            all_looks: all_looks.into_iter().collect(),
            open: false,
        }
    }

    #[cfg(test)]
    pub(super) fn open() -> Self {
        Self::open_with(&[])
    }

    #[cfg(test)]
    pub(super) fn open_with(inputs: &[Input]) -> Self {
        let nothing = crate::document::parse("", "").expect("an empty document");
        Self {
            open: true,
            ..Names::new(true, &nothing, inputs, [])
        }
    }

    /// The default of an input, if it has one.
    pub(super) fn default_of(&self, input: &str) -> Option<&Parameter> {
        self.inputs.get(input)?.as_ref()
    }

    pub(super) fn enter(&mut self, part: Section) {
        self.part = part;
    }

    pub(super) fn part(&self) -> Section {
        self.part
    }

    /// From here on expressions look at one of these, or without any at nothing: they shape a request or a pause,
    /// or decide about a step.
    pub(super) fn look_at(&mut self, looks: &[&'static VisibleNames]) {
        self.looks = looks.to_vec();
    }

    /// Whether what is read belongs to the steps of a chat, before its `always`.
    pub(super) fn is_in_steps(&self) -> bool {
        self.part == Section::Chat
    }

    pub(super) fn has_callbacks(&self) -> bool {
        self.callbacks
    }

    /// Whether expressions about events look at more of their request.
    pub(super) fn look_at_request(&self) -> bool {
        self.looks_at_request.get() || self.looks_at_delivery.get()
    }

    pub(super) fn look_at_delivery(&self) -> bool {
        self.looks_at_delivery.get()
    }

    pub(super) fn look_at_raw_body(&self) -> bool {
        self.looks_at_raw_body.get()
    }

    /// From here on the variable may exist.
    pub(super) fn capture(&mut self, name: &str) {
        self.captured.insert(name.to_owned());
    }

    /// From here on these variables may exist, and no others.
    pub(super) fn know_captures(&mut self, captured: BTreeSet<String>) {
        self.captured = captured;
    }

    pub(super) fn captured(&self) -> &BTreeSet<String> {
        &self.captured
    }

    /// Whether any step captures this variable.
    pub(super) fn captured_somewhere(&self, name: &str, problems: &Problems) -> Result<(), String> {
        if self.ahead.contains_key(name) {
            return Ok(());
        }
        let hint = problems.hint(name, self.ahead.keys().map(String::as_str));
        Err(format!("no step captures `{name}`{hint}"))
    }

    pub(super) fn forget_captures_but(&mut self, kept: BTreeSet<String>) {
        self.of_chats = self.captured.difference(&kept).cloned().collect();
        self.captured = kept;
    }

    /// Reads something that is evaluated while any step of the chat may have run.
    pub(super) fn whenever(&mut self, read: impl FnOnce(&mut Self)) {
        let known = self.captured.clone();
        self.captured.extend(self.ahead.keys().cloned());
        // It may be evaluated for a track.
        let of_tracks = self.ahead.keys().filter_map(|name| name.split_once('.'));
        self.captured
            .extend(of_tracks.map(|(_, name)| name.to_owned()));
        read(self);
        self.captured = known;
    }

    /// Inside a repeat, what one round captures the next one can use.
    pub(super) fn begin_repeat(&mut self, body: &Node) {
        self.repeats += 1;
        let mut inside = BTreeMap::new();
        find_captures(body, self.tracks.own.as_deref(), &mut inside);
        self.know(inside);
    }

    pub(super) fn end_repeat(&mut self) {
        self.repeats -= 1;
    }

    pub(super) fn take_session_values(&mut self) -> BTreeMap<&'static str, Place> {
        self.session_values.take()
    }

    pub(super) fn take_row_columns(&mut self) -> BTreeMap<(String, String), Place> {
        self.row_columns.take()
    }

    /// The scenario names the server of this address.
    pub(super) fn note_address(&mut self, address: &str) {
        self.origins.add_address(address);
    }

    pub(super) fn take_origins(&mut self) -> Origins {
        std::mem::take(&mut self.origins)
    }

    pub(super) fn into_target_variables(self) -> BTreeMap<String, Place> {
        self.target.into_inner()
    }

    /// Notes every variable that cannot exist here; true if there is none. `variables` are dotted
    /// paths as minijinja lists them; `source` stands `offset` bytes into the text with these places.
    pub(super) fn check(
        &self,
        variables: &BTreeSet<String>,
        source: &str,
        offset: usize,
        places: &Places<'_>,
        problems: &Problems,
    ) -> bool {
        let mut known = true;
        let first = first_words(source);
        for path in variables {
            let mut segments = path.split('.');
            let name = segments.next().unwrap_or_default();
            let field = segments.next();
            let at = first.get(name).copied().unwrap_or_default();
            let place = || places.at(offset + at);
            if name == "target"
                && let Some(field) = field
            {
                self.target
                    .borrow_mut()
                    .entry(field.to_owned())
                    .or_insert_with(place);
            } else if let Some(name) = session_value(name) {
                self.session_values
                    .borrow_mut()
                    .entry(name)
                    .or_insert_with(place);
            } else if let Err(message) = self.resolve(name, field, problems) {
                problems.add(&place(), message);
                known = false;
            } else if name == "rows"
                && let (Some(file), Some(column)) = (field, segments.next())
            {
                self.row_columns
                    .borrow_mut()
                    .entry((file.to_owned(), column.to_owned()))
                    .or_insert_with(place);
            }
        }
        known
    }

    fn resolve(&self, name: &str, field: Option<&str>, problems: &Problems) -> Result<(), String> {
        if self.open || self.captured.contains(name) || is_global(name) {
            return Ok(());
        }
        if self.is_track(name) {
            return self.resolve_track(name, field, problems);
        }
        match name {
            "target" => Ok(()),
            "inputs" => self.resolve_input(field, problems),
            "run" => one_of(name, field, &["id"]),
            "rows" => self.resolve_rows(field, problems),
            "chat" if !self.part.is_chat() => {
                Err("there is no `chat` here: `setup` and `teardown` run once per run".to_owned())
            }
            "chat" => one_of(name, field, &["number", "id"]),
            "callback" if self.callbacks => one_of(name, field, &["url"]),
            "callback" => {
                Err("`callback` needs the scenario to say `callbacks: { key: ... }`".to_owned())
            }
            "passed" if self.part == Section::Cleanup => Ok(()),
            "passed" => Err("`passed` is known only in `always`".to_owned()),
            "repeat" if self.repeats > 0 => one_of(name, field, &["index"]),
            "repeat" => Err("`repeat` is known only inside a `repeat`".to_owned()),
            _ => match find(self.looks.iter().copied(), name) {
                Some(found) => self.resolve_look(found, field),
                None => Err(self.undefined(name, problems)),
            },
        }
    }

    /// Whether expressions know something else by this name than a capture: a variable, or a word of the language.
    pub(super) fn is_reserved(&self, name: &str) -> bool {
        RESERVED.contains(&name)
            || session_value(name).is_some()
            || find(self.all_looks.iter().copied(), name).is_some()
    }

    fn resolve_look(&self, found: &VisibleName, field: Option<&str>) -> Result<(), String> {
        match found.keeps {
            Some(Keeps::Request) => self.looks_at_request.set(true),
            Some(Keeps::Delivery) => self.looks_at_delivery.set(true),
            Some(Keeps::RawBody) => self.looks_at_raw_body.set(true),
            None => {}
        }
        if found.fields.is_empty() {
            return Ok(());
        }
        one_of(found.name, field, found.fields)
    }

    fn resolve_input(&self, field: Option<&str>, problems: &Problems) -> Result<(), String> {
        let Some(field) = field else { return Ok(()) };
        if self.inputs.contains_key(field) {
            return Ok(());
        }
        let hint = problems.hint(field, self.inputs.keys().map(String::as_str));
        Err(format!("the scenario has no input `{field}`{hint}"))
    }

    fn undefined(&self, name: &str, problems: &Problems) -> String {
        if let Some(step) = self.ahead.get(name) {
            if self.of_chats.contains(name) {
                return format!(
                    "`{name}` belongs to a chat: step `{step}` captures it, and `teardown` sees only what `setup` captured"
                );
            }
            return format!(
                "`{name}` does not exist yet: step `{step}` captures it, and does not run before this"
            );
        }
        let of_track = |known: &&String| known.split_once('.').is_some_and(|(_, own)| own == name);
        if let Some(known) = self.ahead.keys().find(of_track) {
            return format!("`{name}` is a capture of a track; here it is `{known}`");
        }
        let hint = match find(self.all_looks.iter().copied(), name) {
            Some(elsewhere) => format!("; {}", elsewhere.known),
            None => problems.hint(name, self.candidates()),
        };
        format!("undefined variable `{name}`{hint}")
    }

    fn candidates(&self) -> impl Iterator<Item = &str> {
        let of_chat = self.looks.iter().all(|look| look.of_chat);
        let of_chat = OF_CHAT
            .into_iter()
            .chain(SessionValues::NAMES)
            .filter(move |_| of_chat);
        let of_looks = self.looks.iter().flat_map(|look| look.names);
        let captured = self.captured.iter().map(String::as_str);
        captured
            .chain(OF_RUN)
            .chain(of_chat)
            .chain(of_looks.map(|known| known.name))
    }
}

/// Variables that are there everywhere.
const OF_RUN: [&str; 3] = ["target", "inputs", "run"];
/// Variables that are there wherever a chat is.
const OF_CHAT: [&str; 2] = ["chat", "callback"];

/// The value of a session that goes by this name.
fn session_value(name: &str) -> Option<&'static str> {
    { SessionValues::NAMES.into_iter() }.find(|known| *known == name)
}

const RESERVED: [&str; 18] = [
    "target", "inputs", "run", "rows", "chat", "callback", "passed", "repeat", "and", "or", "not",
    "in", "is", "if", "else", "true", "false", "none",
];
