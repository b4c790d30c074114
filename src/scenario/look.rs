//! What expressions may look at in one place of a scenario, besides the variables that a run and a chat have.

/// The names that exist in one place.
#[derive(Debug)]
pub(super) struct VisibleNames {
    pub(super) names: &'static [VisibleName],
    /// Whether a chat looks there, which has variables of its own.
    pub(super) of_chat: bool,
}

/// A name of a [`VisibleNames`].
#[derive(Debug)]
pub(super) struct VisibleName {
    pub(super) name: &'static str,
    /// The fields that it has; any, if this is empty.
    pub(super) fields: &'static [&'static str],
    /// Where it is known, for the problem of an expression elsewhere.
    pub(super) known: &'static str,
    pub(super) keeps: Option<Keeps>,
}

/// What has to be kept of inbound events because an expression looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The method, the query and the headers of the request that brought the event.
    Request,
    /// These, and all that the request says.
    Delivery,
    /// Its body as it came.
    RawBody,
}

impl VisibleName {
    pub(super) const fn new(name: &'static str, known: &'static str) -> Self {
        Self {
            name,
            fields: &[],
            known,
            keeps: None,
        }
    }

    pub(super) const fn with_fields(self, fields: &'static [&'static str]) -> Self {
        Self { fields, ..self }
    }

    pub(super) const fn keeping(self, keeps: Keeps) -> Self {
        Self {
            keeps: Some(keeps),
            ..self
        }
    }
}

/// The name in the first of these looks that has it.
pub(super) fn find(
    looks: impl IntoIterator<Item = &'static VisibleNames>,
    name: &str,
) -> Option<&'static VisibleName> {
    let names = looks.into_iter().flat_map(|look| look.names);
    { names }.find(|known| known.name == name)
}
