//! A thread with its own runtime for the page and the relay, which run beside the caller.
//!
//! The caller's runtime may end while the sandbox lives on, as each test's runtime does.

use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::SandboxError;

/// Dropping it ends the thread, and with it every task.
#[derive(Debug)]
pub(crate) struct Background {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub fn start() -> Result<Self, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SandboxError::io("cannot start a runtime"))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("cordon-sandbox".to_owned())
            .spawn(move || {
                // Either way it is over: told to stop, or nobody is left to tell it.
                let _ = runtime.block_on(stopped);
            })
            .map_err(SandboxError::io("cannot start a thread"))?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        self.handle.spawn(task);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic in a task stays in that task; the thread itself has nothing to report.
            let _ = thread.join();
        }
    }
}
