//! Texts that many clients are sent within the same second.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::OnceCell, time::Instant};

use super::refusal::Refusal;

/// A text is taken by all who ask within this time from the beginning of its making on.
const FRESH: Duration = Duration::from_millis(900);
/// Texts that are kept; more are made for whoever asks.
const MOST_KEPT: usize = 256;

/// Texts that were made last, by what they show.
#[derive(Debug)]
pub(super) struct SharedTexts<K>(Mutex<HashMap<K, Arc<Making>>>);

/// A text that is made, or was.
#[derive(Debug)]
struct Making {
    begun: Instant,
    text: OnceCell<Arc<str>>,
}

impl<K> Default for SharedTexts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> SharedTexts<K> {
    /// The text, made by the first of all who ask at about the same time; the others wait for it. Who asks for another
    /// one does not.
    pub(super) async fn get<F>(&self, key: K, make: impl FnOnce() -> F) -> Result<Arc<str>, Refusal>
    where
        F: Future<Output = Result<String, Refusal>>,
    {
        let making = self.making(key);
        let make = async || make().await.map(Arc::from);
        making.text.get_or_try_init(make).await.cloned()
    }

    fn making(&self, key: K) -> Arc<Making> {
        // Held for look-ups, which leave the map whole.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |making: &Making| making.begun.elapsed() < FRESH;
        if let Some(making) = kept.get(&key).filter(|making| is_fresh(making)) {
            return making.clone();
        }
        kept.retain(|_, making| is_fresh(making));
        let making = Arc::new(Making {
            begun: Instant::now(),
            text: OnceCell::new(),
        });
        if kept.len() < MOST_KEPT {
            kept.insert(key, making.clone());
        }
        making
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::{
        sync::Notify,
        time::{advance, timeout},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_text_is_made_once_for_all_who_ask_and_keeps_nobody_from_another() {
        let texts = SharedTexts::default();
        let (made, leave) = (AtomicU32::new(0), Notify::new());
        let slow = || async {
            leave.notified().await;
            Ok(format!("made {}", made.fetch_add(1, Ordering::SeqCst)))
        };
        let another = async {
            let text = texts.get("another", || async { Ok("quick".to_owned()) });
            let text = text.await;
            leave.notify_one();
            text
        };
        let all = async { tokio::join!(texts.get("slow", slow), texts.get("slow", slow), another) };
        let all = timeout(Duration::from_secs(10), all).await;
        let (one, two, another) =
            all.expect("the other one waits for the slow one, or both make that");
        assert_eq!([&*one.unwrap(), &*two.unwrap()], ["made 0"; 2]);
        assert_eq!(&*another.unwrap(), "quick");
        advance(FRESH).await;
        leave.notify_one();
        let later = texts.get("slow", slow).await;
        assert_eq!(&*later.unwrap(), "made 1");
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_made_is_made_for_the_next_who_asks() {
        let texts = SharedTexts::default();
        let fails = || async { Err(Refusal::Internal("broken".to_owned())) };
        assert!(texts.get("page", fails).await.is_err());
        let text = texts.get("page", || async { Ok("whole".to_owned()) }).await;
        assert_eq!(&*text.unwrap(), "whole");
    }

    #[tokio::test(start_paused = true)]
    async fn more_texts_than_are_kept_are_made_all_the_same() {
        let texts = SharedTexts::default();
        for number in 0..MOST_KEPT + 10 {
            let text = texts.get(number, || async move { Ok(number.to_string()) });
            assert_eq!(&*text.await.unwrap(), number.to_string());
        }
        assert_eq!(texts.0.lock().unwrap().len(), MOST_KEPT);
    }
}
