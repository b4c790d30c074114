use crate::{
    document::{Mapping, Problems},
    units::{Size, UnitError},
};

/// The longest body of an answer that expressions can look at, in bytes, unless a step says otherwise.
const BODY_LIMIT: usize = 1 << 20;

/// The highest limit for it: it is in memory as a whole, and more than once while it is read.
const HIGHEST_BODY_LIMIT: Size = Size::from_bytes(1 << 30);

/// Redirects that a step may follow at most: as many as browsers do.
const MOST_REDIRECTS: u64 = 20;

/// What is taken of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerLimits {
    /// The longest body, in bytes.
    pub(super) body: Option<usize>,
    pub(super) redirects: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            body: Some(BODY_LIMIT),
            redirects: 0,
        }
    }
}

impl AnswerLimits {
    /// Reads `follow: 5` and `body_limit: 4MiB` of a step.
    pub(super) fn read(map: &mut Mapping<'_>, problems: &Problems) -> Option<Self> {
        let [follow, body_limit] = ["follow", "body_limit"].map(|key| map.get(key));
        let redirects = match follow {
            Some(node) => node.whole_number_in(0..=MOST_REDIRECTS, problems),
            None => Some(0),
        };
        let body = match body_limit {
            Some(node) => node.parsed("a size such as `4MiB`", read_body_limit, problems),
            None => Some(BODY_LIMIT),
        };
        Some(Self {
            body: Some(body?),
            redirects: usize::try_from(redirects?).ok()?,
        })
    }
}

fn read_body_limit(text: &str) -> Result<usize, String> {
    let size: Size = text.parse().map_err(|error: UnitError| error.to_string())?;
    if size > HIGHEST_BODY_LIMIT {
        return Err(format!(
            "the limit may be at most {HIGHEST_BODY_LIMIT}, and not {size}"
        ));
    }
    usize::try_from(size.as_bytes()).map_err(|error| error.to_string())
}
