use std::{cmp::Ordering, sync::Arc};

use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectExt as _},
};
use smallvec::SmallVec;

/// The members of a JSON object in the order of their names, each name once. Most objects have a handful of members, for
/// which a tree takes several times as long to build, to drop and to look into, and more memory.
#[derive(Debug, Clone, Default)]
pub struct Members(Box<[(Value, Value)]>);

impl Members {
    /// The members of an object, if the value is one that was read here.
    pub fn of(value: &Value) -> Option<&[(Value, Value)]> {
        value
            .downcast_object_ref::<Self>()
            .map(|members| &members.0[..])
    }

    fn find(&self, name: &str) -> Option<&Value> {
        /// So many are gone through faster than they are halved.
        const FEW: usize = 16;

        let members = &*self.0;
        let found = if members.len() <= FEW {
            let mut few = members.iter();
            few.find(|(known, _)| known.as_str() == Some(name))
        } else {
            let compared = |(known, _): &(Value, Value)| known.as_str().cmp(&Some(name));
            let at = members.binary_search_by(compared).ok();
            at.map(|at| &members[at])
        };
        found.map(|(_, value)| value)
    }
}

/// Members as they are read, in any order. Few of them take no memory of their own.
pub(super) type ReadMembers = SmallVec<[(Value, Value); 12]>;

/// Of several members with one name the last counts.
impl From<ReadMembers> for Members {
    fn from(mut members: ReadMembers) -> Self {
        let names = |a: &(Value, Value), b: &(Value, Value)| a.0.as_str().cmp(&b.0.as_str());
        // Keeps the order of members with one name.
        members.sort_by(names);
        members.dedup_by(|later, earlier| {
            let is_same = names(later, earlier) == Ordering::Equal;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        Self(members.into_iter().collect())
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::from_object(members)
    }
}

impl Object for Members {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.find(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_rev_key_value_enumerator(|this| Box::new(this.0.iter().cloned()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}
