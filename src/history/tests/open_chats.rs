use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::run;
use crate::{
    event::{Ending, RunEvent, RunObserver as _},
    history::{figures::HistoryCounters, open_chats::OpenChats, write::Write},
};

/// What a chat is called, and whether it stays open although it has ended.
type Open = BTreeMap<u64, (String, bool)>;

/// The chats that are open after these changes, by their number.
fn apply(open: &mut Open, write: Write) {
    let Write::Chats { opened, closed } = write else {
        panic!("other changes");
    };
    for opened in opened {
        let name = opened.correlation[0].1.clone();
        open.insert(opened.chat, (name, opened.why.is_some()));
    }
    for (_, chat) in closed {
        if open.get(&chat).is_some_and(|(_, left)| !left) {
            open.remove(&chat);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Name(u64, String),
    LeaveOpen(u64),
    End(u64),
    Offer { taken: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u64, "[ab]").prop_map(|(chat, name)| Step::Name(chat, name)),
        (0..5_u64).prop_map(Step::LeaveOpen),
        (0..5_u64).prop_map(Step::End),
        any::<bool>().prop_map(|taken| Step::Offer { taken }),
    ]
}

proptest! {
    #[test]
    fn open_chats_are_those_that_have_a_name_and_no_end_or_that_nothing_closed(steps in prop::collection::vec(step(), 0..40)) {
        let chats = OpenChats::new(Arc::<HistoryCounters>::default());
        let run = run();
        let (mut written, mut real, mut over) = (Open::new(), Open::new(), [false; 5]);
        for step in steps.into_iter().chain([Step::Offer { taken: true }]) {
            match step {
                // A chat that has ended does nothing any more.
                Step::Name(chat, _) | Step::LeaveOpen(chat) | Step::End(chat)
                    if over[usize::try_from(chat).unwrap()] => {}
                // Its end is all that follows.
                Step::Name(chat, _) if real.get(&chat).is_some_and(|(_, left)| *left) => {}
                Step::LeaveOpen(chat) => {
                    let name = real.get(&chat).map_or("c".to_owned(), |(name, _)| name.clone());
                    real.insert(chat, (name.clone(), true));
                    let (correlation, why) = (vec![("key".into(), name)], "nothing closed it".to_owned());
                    chats.observe(&run, &RunEvent::LeftOpen { chat, correlation, why });
                }
                Step::Name(chat, name) => {
                    real.insert(chat, (name.clone(), false));
                    let correlation = vec![("key".into(), name)];
                    chats.observe(&run, &RunEvent::ChatNamed { chat, correlation });
                }
                Step::End(chat) => {
                    if real.get(&chat).is_some_and(|(_, left)| !left) {
                        real.remove(&chat);
                    }
                    over[usize::try_from(chat).unwrap()] = true;
                    chats.observe(&run, &RunEvent::ChatEnded {
                        chat,
                        ending: Ending::Passed,
                        duration: Duration::ZERO,
                        correlation: vec![("key".into(), "a".to_owned())],
                    });
                }
                Step::Offer { taken: true } => chats.offer(|write| {
                    apply(&mut written, write);
                    Ok(())
                }),
                Step::Offer { taken: false } => chats.offer(Err),
            }
        }
        prop_assert_eq!(written, real);
    }
}
