//! Runs other programs so that none outlives this one.
//!
//! Every program runs under `launcher/guard.py`, whose standard input is a pipe that this process holds. When this process ends,
//! even by `SIGKILL`, the kernel closes the pipe, and the guard kills the program's whole process group. Programs write to a log
//! file, never to our own output.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::SandboxError;
use crate::launcher;

const TAIL_LINES: usize = 25;
const TAIL_BYTES: u64 = 16 * 1024;
const POLL: Duration = Duration::from_millis(120);

/// The guard script, written out, and the interpreter that runs it.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    python: PathBuf,
    script: PathBuf,
}

impl Guard {
    pub fn install(python: &Path, folder: &Path) -> Result<Self, SandboxError> {
        Ok(Self { python: python.to_owned(), script: launcher::install(folder)? })
    }

    pub fn script(&self) -> &Path {
        &self.script
    }

    pub fn command(&self, program: &Path) -> Program {
        Program {
            python: self.python.clone(),
            arguments: vec![self.script.clone().into(), "run".into(), program.into()],
            folder: None,
            set: Vec::new(),
            removed: Vec::new(),
            clear: false,
        }
    }
}

/// A program to run under the guard.
#[derive(Debug)]
pub(crate) struct Program {
    python: PathBuf,
    arguments: Vec<OsString>,
    folder: Option<PathBuf>,
    set: Vec<(OsString, OsString)>,
    removed: Vec<OsString>,
    clear: bool,
}

impl Program {
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set.push((key.into(), value.into()));
        self
    }

    pub fn env_remove(mut self, key: impl Into<OsString>) -> Self {
        self.removed.push(key.into());
        self
    }

    /// Starts from an empty environment.
    pub fn env_clear(mut self) -> Self {
        self.clear = true;
        self
    }

    fn into_command(self, log: &Path) -> Result<std::process::Command, SandboxError> {
        let file = File::create(log).map_err(SandboxError::io(format!("cannot write `{}`", log.display())))?;
        let again = file.try_clone().map_err(SandboxError::io("cannot share a log file"))?;
        let mut command = std::process::Command::new(&self.python);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(file).stderr(again);
        if self.clear {
            command.env_clear();
        }
        for key in &self.removed {
            command.env_remove(key);
        }
        command.envs(self.set);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        Ok(command)
    }

    /// Starts it and leaves it running.
    pub fn spawn(self, log: &Path) -> Result<Running, SandboxError> {
        let mut child = self.into_command(log)?.spawn().map_err(SandboxError::io("cannot start Python"))?;
        let voice = Voice(Arc::new(Mutex::new(child.stdin.take())));
        Ok(Running { child, voice, log: log.to_owned() })
    }

    /// Runs it to its end. `note` gets the newest line of its log from time to time.
    pub async fn run(self, what: &str, log: &Path, limit: Duration, note: impl Fn(&str)) -> Result<(), SandboxError> {
        let mut running = self.spawn(log)?;
        let began = Instant::now();
        loop {
            if let Some(status) = running.child.try_wait().map_err(SandboxError::io(format!("cannot wait for {what}")))? {
                return if status.success() {
                    Ok(())
                } else {
                    Err(SandboxError::Command { what: what.to_owned(), tail: tail(log), log: log.to_owned() })
                };
            }
            if began.elapsed() > limit {
                return Err(SandboxError::TimedOut { what: what.to_owned(), seconds: limit.as_secs(), tail: tail(log) });
            }
            if let Some(line) = tail(log).last() {
                note(line);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A program under way. Dropping it stops it, without waiting for its end.
#[derive(Debug)]
pub(crate) struct Running {
    child: std::process::Child,
    voice: Voice,
    log: PathBuf,
}

/// A program's standard input, for whoever has to tell it something.
#[derive(Debug, Clone)]
pub(crate) struct Voice(Arc<Mutex<Option<ChildStdin>>>);

impl Voice {
    /// Writes to the program's standard input.
    pub fn tell(&self, line: &str) -> std::io::Result<()> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(stdin) => stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Closes it, which the guard takes for the order to end.
    fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Running {
    /// `true` while it has not ended.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn tail(&self) -> Vec<String> {
        tail(&self.log)
    }

    /// The program's standard input.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// Asks the guard to stop the whole group, and waits until it has.
    pub async fn stop(&mut self, limit: Duration) -> bool {
        self.voice.close();
        let began = Instant::now();
        while self.is_alive() {
            if began.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The guard sees the closed pipe and kills the group. Waiting briefly keeps it from becoming a zombie of ours.
        self.voice.close();
        let began = Instant::now();
        while self.is_alive() && began.elapsed() < Duration::from_millis(1_500) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The last lines of a log, without colours and without empty lines.
pub(crate) fn tail(log: &Path) -> Vec<String> {
    let mut lines = VecDeque::with_capacity(TAIL_LINES);
    for line in String::from_utf8_lossy(&last_bytes(log)).lines() {
        let line = plain(line);
        if line.trim().is_empty() {
            continue;
        }
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line.trim_end().to_owned());
    }
    lines.into()
}

fn last_bytes(log: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(mut file) = File::open(log) else { return bytes };
    let length = fs::metadata(log).map_or(0, |metadata| metadata.len());
    if file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).is_ok() {
        // A log that cannot be read gives an empty tail; the error it belongs to is reported anyway.
        let _ = file.take(TAIL_BYTES).read_to_end(&mut bytes);
    }
    bytes
}

/// Drops terminal colour sequences.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            for skipped in characters.by_ref() {
                if skipped.is_ascii_alphabetic() {
                    break;
                }
            }
        } else if !character.is_control() || character == '\t' {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(folder: &Path) -> Guard {
        Guard::install(Path::new("python3"), folder).unwrap()
    }

    /// Longer than the slowest machine needs.
    const PATIENCE: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_failing_program_is_reported_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let error = guard(folder.path())
            .command(Path::new("sh"))
            .args(["-c", "echo first; printf '\\033[31mlast\\033[0m\\n' >&2; exit 3"])
            .run("the script", &log, PATIENCE, |_| {})
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with("the script failed:\n  first\n  last\n"), "{error}");
    }

    #[tokio::test]
    async fn nothing_of_a_stopped_program_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut running = guard(folder.path())
            .command(Path::new("sh"))
            .args(["-c", "sleep 1000 & echo $!; trap '' TERM; wait; sleep 1000"])
            .spawn(&log)
            .unwrap();
        while tail(&log).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let grandchild = tail(&log).first().unwrap().clone();
        assert!(Path::new("/proc").join(&grandchild).exists() || !Path::new("/proc/self").exists());
        assert!(running.stop(PATIENCE).await);
        // The kernel may take a moment.
        let stat = Path::new("/proc").join(grandchild).join("stat");
        let is_gone = async {
            while fs::read_to_string(&stat).is_ok_and(|state| !state.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, is_gone).await.is_ok());
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let program = guard(folder.path()).command(Path::new("no-such-program-here"));
        let error = program.run("it", &log, PATIENCE, |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("cannot run no-such-program-here: No such file or directory"), "{error}");
    }
}
