use std::sync::Arc;

use tokio::{sync::oneshot, task::JoinHandle};

/// An event stream that is read by a task of its own. It is closed when this is dropped.
#[derive(Debug)]
pub(in crate::scenario::action) struct OpenStream {
    /// The step that asked for it.
    pub(super) step: Arc<str>,
    /// Which connection of the chat, from one.
    pub(super) connection: u32,
    close: oneshot::Sender<()>,
    reading: JoinHandle<()>,
}

impl OpenStream {
    pub(in crate::scenario::action) fn new(
        step: Arc<str>,
        connection: u32,
        close: oneshot::Sender<()>,
        reading: JoinHandle<()>,
    ) -> Self {
        Self {
            step,
            connection,
            close,
            reading,
        }
    }

    /// Closes it, and waits until the event of its end is emitted. It does not wait for the target.
    pub(super) async fn close(self) {
        // It may have ended.
        let _ = self.close.send(());
        // What breaks in the task shows as a stream without an end.
        let _ = self.reading.await;
    }
}
