use std::{cell::RefCell, collections::HashSet, fmt};

use serde::Serialize;

use super::{Place, did_you_mean};

/// More problems than this are counted, not kept: nobody reads the hundredth.
const KEPT: usize = 100;

/// One thing that is wrong, where it is, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong and what would be right, in one line.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The problems of one load, collected so that all can be reported at once.
#[derive(Debug, Default)]
pub struct Problems {
    // Readers share the list by reference, so that a reader can add while it holds nodes.
    list: RefCell<Vec<Problem>>,
    /// Where a problem was noted that explains all others.
    explained: RefCell<HashSet<Place>>,
}

impl Problems {
    /// Notes a problem.
    pub fn add(&self, place: &Place, message: impl Into<String>) {
        if self.explained.borrow().contains(place) {
            return;
        }
        self.list.borrow_mut().push(Problem {
            place: place.clone(),
            message: message.into(),
        });
    }

    /// What is noted at this place from now on is a consequence of what is known, and left out.
    pub fn explain(&self, place: &Place) {
        self.explained.borrow_mut().insert(place.clone());
    }

    /// How many there are so far; a reader compares before and after.
    pub fn count(&self) -> usize {
        self.list.borrow().len()
    }

    /// [`did_you_mean`] for the message of a problem. Where there are more problems already than anybody is shown,
    /// nothing is looked for.
    pub fn hint<'a>(&self, word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
        if self.count() >= KEPT {
            return String::new();
        }
        did_you_mean(word, known)
    }

    /// `Ok` if there are none, else the problems in the order of their places.
    pub fn into_result(self) -> Result<(), Vec<Problem>> {
        let mut list = self.list.into_inner();
        if list.is_empty() {
            return Ok(());
        }
        list.sort_by(|a, b| a.place.cmp(&b.place));
        list.dedup();
        if list.len() > KEPT {
            let message = format!("and {} more problems", list.len() - KEPT);
            list.truncate(KEPT);
            let place = Place::whole(list[KEPT - 1].place.source.clone());
            list.push(Problem { place, message });
        }
        Err(list)
    }
}
