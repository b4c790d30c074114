//! Where events go.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use reqwest::Url;

use super::event_kind::EventKind;
use super::requests::{NewWebhook, RequestRefusal};

/// The registered callback URLs, by their number in order of registration.
#[derive(Debug)]
pub(super) struct Webhooks {
    by_number: BTreeMap<u64, Webhook>,
    next_number: u64,
    limit: usize,
    shared: bool,
    forgotten: u64,
}

/// One registered callback URL.
#[derive(Debug)]
struct Webhook {
    provider: String,
    url: Arc<Url>,
    event_types: Vec<String>,
}

/// Where one event goes.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    /// The number of the webhook.
    pub webhook: u64,
    pub url: Arc<Url>,
}

impl Webhooks {
    /// `shared`: one URL for everybody. `first`: the number of the first webhook.
    pub fn new(shared: bool, limit: NonZeroU32, first: u64) -> Self {
        let limit = if shared { 1 } else { limit.get() as usize };
        Self {
            by_number: BTreeMap::new(),
            next_number: first,
            limit,
            shared,
            forgotten: 0,
        }
    }

    /// Registers a URL for a channel provider; the oldest is forgotten when there are too many.
    pub fn register(&mut self, provider: String, new: NewWebhook) -> Result<u64, RequestRefusal> {
        let url: Url = new.callback_url.parse().map_err(|error| {
            RequestRefusal::Malformed(format!("callbackUrl `{}`: {error}", new.callback_url))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            let reason = format!("callbackUrl `{url}` is neither http nor https");
            return Err(RequestRefusal::Malformed(reason));
        }
        if self.by_number.len() >= self.limit {
            self.by_number.pop_first();
            self.forgotten += u64::from(!self.shared);
        }
        let number = self.next_number;
        self.next_number += 1;
        let webhook = Webhook {
            provider,
            url: Arc::new(url),
            event_types: new.event_types,
        };
        self.by_number.insert(number, webhook);
        Ok(number)
    }

    /// Removes a URL. A server with one URL for everybody does not mind that another has replaced
    /// it since.
    pub fn remove(&mut self, provider: &str, number: u64) -> Result<(), RequestRefusal> {
        let known = self
            .by_number
            .get(&number)
            .is_some_and(|webhook| webhook.provider == provider);
        if known {
            self.by_number.remove(&number);
        }
        let replaced = self.shared && number < self.next_number;
        if known || replaced {
            Ok(())
        } else {
            Err(RequestRefusal::NotFound("webhook"))
        }
    }

    /// Who is told of such an event of that channel provider.
    pub fn receivers<'a>(
        &'a self,
        provider: &'a str,
        kind: EventKind,
    ) -> impl Iterator<Item = Receiver> + 'a {
        self.by_number
            .iter()
            .filter(move |(_, webhook)| self.shared || webhook.provider == provider)
            .filter(move |(_, webhook)| {
                webhook
                    .event_types
                    .iter()
                    .any(|wanted| wanted == "ALL" || wanted == kind.event_type())
            })
            .map(|(number, webhook)| Receiver {
                webhook: *number,
                url: webhook.url.clone(),
            })
    }

    /// How many fell out because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub fn len(&self) -> usize {
        self.by_number.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str, types: &[&str]) -> NewWebhook {
        NewWebhook {
            callback_url: url.to_owned(),
            event_types: types.iter().map(|&kind| kind.to_owned()).collect(),
        }
    }

    fn numbers(webhooks: &Webhooks, provider: &str, kind: EventKind) -> Vec<u64> {
        webhooks
            .receivers(provider, kind)
            .map(|receiver| receiver.webhook)
            .collect()
    }

    fn limit(limit: u32) -> NonZeroU32 {
        NonZeroU32::new(limit).unwrap()
    }

    #[test]
    fn an_event_goes_to_the_webhooks_of_its_provider_that_want_it() {
        let mut webhooks = Webhooks::new(false, limit(10), 1);
        webhooks
            .register("p".to_owned(), webhook("http://a/", &["ALL"]))
            .unwrap();
        webhooks
            .register("p".to_owned(), webhook("http://b/", &["MESSAGES"]))
            .unwrap();
        webhooks
            .register("q".to_owned(), webhook("http://c/", &["ALL"]))
            .unwrap();
        assert_eq!(numbers(&webhooks, "p", EventKind::AgentMessage), [1, 2]);
        assert_eq!(numbers(&webhooks, "p", EventKind::AgentJoined), [1]);
        assert_eq!(
            webhooks.remove("q", 1),
            Err(RequestRefusal::NotFound("webhook"))
        );
        webhooks.remove("p", 1).unwrap();
        assert!(numbers(&webhooks, "p", EventKind::AgentJoined).is_empty());
    }

    #[test]
    fn the_last_shared_url_wins_for_everybody() {
        let mut webhooks = Webhooks::new(true, limit(10), 1);
        webhooks
            .register("p".to_owned(), webhook("http://a/", &["ALL"]))
            .unwrap();
        webhooks
            .register("q".to_owned(), webhook("http://b/", &["ALL"]))
            .unwrap();
        assert_eq!(numbers(&webhooks, "p", EventKind::AgentJoined), [2]);
        webhooks
            .remove("p", 1)
            .expect("the replaced one is removed without effect");
        assert_eq!(webhooks.len(), 1);
    }

    #[test]
    fn the_oldest_is_forgotten_beyond_the_limit() {
        let mut webhooks = Webhooks::new(false, limit(2), 1);
        for url in ["http://a/", "http://b/", "http://c/"] {
            webhooks
                .register("p".to_owned(), webhook(url, &["ALL"]))
                .unwrap();
        }
        assert_eq!(numbers(&webhooks, "p", EventKind::AgentJoined), [2, 3]);
        assert_eq!(webhooks.forgotten(), 1);
    }

    #[test]
    fn a_url_that_cannot_be_called_is_refused() {
        let mut webhooks = Webhooks::new(false, limit(2), 1);
        for url in ["not a url", "ftp://a/"] {
            let refused = webhooks.register("p".to_owned(), webhook(url, &["ALL"]));
            assert!(
                matches!(refused, Err(RequestRefusal::Malformed(_))),
                "{url}"
            );
        }
    }
}
