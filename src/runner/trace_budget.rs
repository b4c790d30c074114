use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What the traces of all bursts' chats in progress may take together, in bytes.
const BUDGET: usize = 24 * 1024 * 1024;

/// How much of the memory for traces is taken. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct TraceBudget(Arc<AtomicUsize>);

impl TraceBudget {
    /// Takes so many bytes; false if the budget has no more.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let taken = &self.0;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|&sum| sum <= BUDGET);
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
    }

    #[cfg(test)]
    pub(super) fn fill(&self) {
        self.0.store(BUDGET, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
