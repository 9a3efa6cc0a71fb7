//! The paths of the workspace and of the folders below `target/sandbox`. Nothing is written outside `target`.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::SandboxError;

/// The workspace that holds `path`: the nearest folder upwards with `statemachine/` and `infra/`, or what `CORDON_WORKSPACE` names.
///
/// # Errors
/// [`SandboxError::NoWorkspace`].
pub fn find_workspace(path: &Path) -> Result<PathBuf, SandboxError> {
    let start = std::env::var_os("CORDON_WORKSPACE").map_or_else(|| path.to_owned(), PathBuf::from);
    let absolute = std::path::absolute(&start).map_err(SandboxError::io(format!("cannot resolve `{}`", start.display())))?;
    absolute
        .ancestors()
        .find(|folder| {
            folder.join("Cargo.toml").is_file() && folder.join("statemachine").is_dir() && folder.join("infra").is_dir()
        })
        .map(Path::to_owned)
        .ok_or_else(|| SandboxError::NoWorkspace { path: absolute.clone() })
}

/// The folders of one run.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub workspace: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
    /// `target/sandbox`: what later starts use again.
    pub shared: PathBuf,
    /// `target/sandbox/<label>`: this run's logs, state and artifacts.
    pub run: PathBuf,
}

impl Layout {
    pub fn create(workspace: PathBuf, target: PathBuf, label: &str) -> Result<Self, SandboxError> {
        let shared = target.join("sandbox");
        let run = shared.join(label);
        create_dir(&run)?;
        Ok(Self { workspace, target, shared, run })
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.run.join(format!("{name}.log"))
    }

    pub fn stack(&self, name: &str) -> PathBuf {
        self.run.join("stacks").join(name)
    }
}

pub(crate) fn create_dir(path: &Path) -> Result<(), SandboxError> {
    fs::create_dir_all(path).map_err(SandboxError::io(format!("cannot create `{}`", path.display())))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), SandboxError> {
    fs::write(path, content).map_err(SandboxError::io(format!("cannot write `{}`", path.display())))
}

/// Writes only what differs, so that a file's time tells when it last changed.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), SandboxError> {
    if fs::read(path).is_ok_and(|old| old == content) { Ok(()) } else { write(path, content) }
}

fn lock_file(folder: &Path, name: &str) -> Result<File, SandboxError> {
    let path = folder.join(name);
    File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(SandboxError::io(format!("cannot open `{}`", path.display())))
}

/// Held for as long as a run lasts. The kernel lets go of it however the process ends.
pub(crate) fn lock_run(layout: &Layout) -> Result<File, SandboxError> {
    let file = lock_file(&layout.run, "lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SandboxError::AlreadyRunning { directory: layout.run.clone() }),
        Err(TryLockError::Error(source)) => {
            Err(SandboxError::Io { what: format!("cannot lock `{}`", layout.run.display()), source })
        }
    }
}

/// Waits for other sandboxes that are setting up what is shared, then keeps them out until the file is dropped.
pub(crate) async fn lock_shared(layout: &Layout) -> Result<File, SandboxError> {
    let file = lock_file(&layout.shared, "lock")?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(TryLockError::Error(source)) => {
                return Err(SandboxError::Io { what: format!("cannot lock `{}`", layout.shared.display()), source });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found_from_a_folder_inside_it() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["statemachine", "infra", "crates/inner"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(find_workspace(&root.path().join("crates/inner")).unwrap(), root.path());
    }

    #[test]
    fn a_folder_without_the_state_machine_is_no_workspace() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("Cargo.toml"), "").unwrap();
        assert!(matches!(find_workspace(root.path()), Err(SandboxError::NoWorkspace { .. })));
    }

    #[test]
    fn a_second_run_under_the_same_label_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::create(root.path().into(), root.path().join("target"), "one").unwrap();
        let held = lock_run(&layout).unwrap();
        assert!(matches!(lock_run(&layout), Err(SandboxError::AlreadyRunning { .. })));
        drop(held);
        assert!(lock_run(&layout).is_ok());
    }
}
