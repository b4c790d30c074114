//! One address instead of a scenario.

use std::{fs::File, io::Read as _, path::PathBuf, sync::Arc};

use bytes::Bytes;
use url::Url;

use super::prepared::RunSubject;
use crate::{
    cli::output::tell,
    document::{Place, Problems},
    plain_words,
    scenario::{
        Parameter, Parameters, PlainRequest, PlainRequestError, ScenarioRead, note_confidential,
    },
    target::Target,
};

/// The longest body that is read from a file, in bytes.
const MOST_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// A request that each chat sends, on the command line. What stands there is sent as it is: `{{` begins no
/// template.
#[derive(Debug, clap::Args)]
pub(super) struct RequestArguments {
    /// Sends requests to this address instead of what a scenario says, and expects 2xx. It needs no
    /// configuration.
    #[arg(long, value_name = "URL", conflicts_with = "scenario")]
    url: Option<String>,

    /// The method of the request to --url [default: GET, or POST with a body].
    #[arg(
        long,
        value_name = "METHOD",
        requires = "url",
        conflicts_with = "scenario"
    )]
    method: Option<String>,

    /// A header of the request to --url.
    #[arg(
        long = "header",
        short = 'H',
        value_name = "NAME: VALUE",
        requires = "url"
    )]
    headers: Vec<String>,

    /// The body of the request to --url, sent as it is.
    #[arg(
        long,
        value_name = "TEXT",
        requires = "url",
        conflicts_with = "scenario"
    )]
    body: Option<String>,

    /// A file with the body of the request to --url.
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with_all = ["scenario", "body"])]
    body_file: Option<PathBuf>,
}

impl RequestArguments {
    /// A scenario of this request, and the server that it goes to.
    pub(super) fn read(&self, problems: &Problems) -> Option<RunSubject> {
        let refuse = |option: &str, message: String| problems.add(&Place::whole(option), message);
        // Without a scenario, there is one.
        let url = self.url.as_deref()?;
        let body = self
            .read_body()
            .map_err(|message| refuse("--body-file", message))
            .ok()?;
        let request = PlainRequest::read(url, self.method.as_deref(), &self.headers, body);
        let request = request
            .map_err(|error| refuse(option_of(&error), error.to_string()))
            .ok()?;
        let origin = Url::parse(&request.url).ok()?.origin();
        let target = Target::at(&origin.ascii_serialization());
        let shown = [
            ("method", request.method.to_string()),
            ("url", presentable(&request.url, &target)),
        ];
        let shown = shown.map(|(name, text)| (name.to_owned(), Parameter::text(&text)));
        Some(RunSubject {
            inputs: Some(shown.into_iter().collect::<Parameters>().into()),
            target: Some(Arc::new(target)),
            scenario: Some(ScenarioRead::Whole(Arc::new(request.into_scenario()))),
        })
    }

    fn read_body(&self) -> Result<Option<Bytes>, String> {
        if let Some(text) = &self.body {
            if let Some(file) = text.strip_prefix('@')
                && std::path::Path::new(file).is_file()
            {
                tell(format_args!(
                    "note: the body is the text `@{file}`; with `--body-file {file}` it is what the file has"
                ));
            }
            return Ok(Some(Bytes::from(text.clone())));
        }
        let Some(path) = &self.body_file else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MOST_BODY_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| {
                let why = plain_words::of_system(&error);
                format!("cannot read `{}`: {why}", path.display())
            })?;
        if bytes.len() as u64 > MOST_BODY_BYTES {
            return Err(format!(
                "`{}` is larger than the {MOST_BODY_BYTES} bytes that a body may have",
                path.display()
            ));
        }
        Ok(Some(bytes.into()))
    }
}

fn option_of(error: &PlainRequestError) -> &'static str {
    match error {
        PlainRequestError::Url(_) => "--url",
        PlainRequestError::Method(_) => "--method",
        PlainRequestError::Header(_) => "--header",
    }
}

/// The address without credentials and confidential parameters, for the report.
fn presentable(url: &str, target: &Target) -> String {
    let mut shown = url.to_owned();
    if let Ok(mut parsed) = Url::parse(url)
        && (!parsed.username().is_empty() || parsed.password().is_some())
    {
        // An http URL can have neither of them.
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        shown = parsed.into();
    }
    let mut values = Vec::new();
    note_confidential(&shown, &mut values);
    target.redact_besides(shown, &values)
}
