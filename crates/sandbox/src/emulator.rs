//! Starts the AWS emulator with enforced IAM on a free port of 127.0.0.1, and stops it with every process that it started.
//!
//! It runs under the guard, in an environment of its own: the caller's AWS settings, proxies and Docker do not reach it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::SandboxError;
use crate::layout::{self, Layout};
use crate::process::{Guard, Running, Voice};
use crate::progress::Progress;

const READY_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const SAVE_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(60);

/// The management account of the organisation that the sandbox's accounts belong to, where some do.
pub(crate) const MANAGEMENT: &str = "999999999999";
/// The organisation's id.
pub(crate) const ORGANIZATION: &str = "o-cordonsandbox";

/// The accounts that the emulator has to know of before it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    /// That of requests which name none.
    pub first: String,
    /// Members of the organisation, [`MANAGEMENT`] the first of them; none where nothing is deployed in an organisation.
    pub members: Vec<String>,
}

impl Accounts {
    /// The organisation's id and its members; empty where there is none.
    fn organization(&self) -> String {
        let named = (!self.members.is_empty()).then_some(ORGANIZATION);
        named.into_iter().chain(self.members.iter().map(String::as_str)).collect::<Vec<_>>().join(",")
    }
}

/// A running emulator. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Emulator {
    running: Running,
    pub endpoint: String,
    /// Who stands behind each temporary key; see `launcher/guard.py`.
    pub ledger: PathBuf,
    state: PathBuf,
}

/// The folder of which the emulator loads its state when it starts, and to which it saves it.
pub(crate) fn state_folder(layout: &Layout) -> PathBuf {
    layout.run.join("state")
}

/// Any port that is free now, or the one that was asked for.
pub(crate) fn free_port(wanted: Option<u16>, option: &'static str) -> Result<u16, SandboxError> {
    match TcpListener::bind(("127.0.0.1", wanted.unwrap_or(0))).and_then(|listener| listener.local_addr()) {
        Ok(address) => Ok(address.port()),
        Err(source) => match wanted {
            Some(port) => Err(SandboxError::PortTaken { port, option }),
            None => Err(SandboxError::Io { what: "cannot open a port on 127.0.0.1".to_owned(), source }),
        },
    }
}

impl Emulator {
    /// Starts with the state that [`state_folder`] holds, which may be none.
    pub async fn start(
        layout: &Layout,
        guard: &Guard,
        python: &Path,
        port: u16,
        accounts: &Accounts,
        progress: &Progress,
    ) -> Result<Self, SandboxError> {
        let step = progress.step("emulator up");
        let state = state_folder(layout);
        layout::create_dir(&state)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let temporary = layout.run.join("tmp");
        reset_dir(&temporary)?;
        let ledger = layout.run.join("sessions.jsonl");
        layout::write(&ledger, "")?;
        let mut program = guard.command(python).arg(guard.script()).arg("emulator").arg(&ledger).folder(&temporary).env_clear();
        for (key, value) in environment(port, &endpoint, accounts, &temporary, &state) {
            program = program.env(key, value);
        }
        let running = program.spawn(&layout.log("emulator"))?;
        let mut emulator = Self { running, endpoint, ledger, state };
        emulator.wait_until_ready().await?;
        step.done(&emulator.endpoint);
        Ok(emulator)
    }

    async fn wait_until_ready(&mut self) -> Result<(), SandboxError> {
        let url = format!("{}/_ministack/health", self.endpoint);
        let client = crate::http::client()?;
        let began = Instant::now();
        loop {
            if !self.running.is_alive() {
                let why = self.running.tail().join("\n  ");
                return Err(SandboxError::unexpected("the emulator ended while it was starting", why));
            }
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if began.elapsed() > READY_LIMIT {
                let tail = self.running.tail();
                return Err(SandboxError::TimedOut {
                    what: "the emulator's start".to_owned(),
                    seconds: READY_LIMIT.as_secs(),
                    tail,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Has it write all of its state, as it is now, and gives the folder.
    pub async fn save(&mut self) -> Result<&Path, SandboxError> {
        let answer = self.state.join("saved");
        self.running.voice().tell("save\n").map_err(SandboxError::io("cannot reach the emulator's launcher"))?;
        let began = Instant::now();
        loop {
            match std::fs::read_to_string(&answer) {
                Ok(text) if text == "ok" => break,
                Ok(why) => return Err(SandboxError::unexpected("the emulator did not save its state", why)),
                Err(_) if began.elapsed() > SAVE_LIMIT || !self.running.is_alive() => {
                    let (what, tail) = ("the emulator's saving of its state".to_owned(), self.running.tail());
                    return Err(SandboxError::TimedOut { what, seconds: SAVE_LIMIT.as_secs(), tail });
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
        std::fs::remove_file(&answer).map_err(SandboxError::io(format!("cannot remove `{}`", answer.display())))?;
        Ok(&self.state)
    }

    pub fn is_alive(&mut self) -> bool {
        self.running.is_alive()
    }

    /// Where its launcher takes events that only AWS itself can send.
    pub fn voice(&self) -> &Voice {
        self.running.voice()
    }

    /// Stops it and every Lambda process; `false` if it did not end in time.
    pub async fn stop(&mut self) -> bool {
        self.running.stop(STOP_LIMIT).await
    }
}

fn environment(port: u16, endpoint: &str, accounts: &Accounts, temporary: &Path, state: &Path) -> Vec<(&'static str, String)> {
    let temporary = temporary.display().to_string();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    vec![
        ("PATH", path),
        ("HOME", temporary.clone()),
        // Unpacked functions and process files land here and not in the machine's own temporary folder.
        ("TMPDIR", temporary),
        ("LANG", "C.UTF-8".to_owned()),
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        // Enforced IAM, and functions that run under their own role's session.
        ("AUTH", "true".to_owned()),
        ("CLOUDTRAIL_RECORDING", "1".to_owned()),
        // The account of requests that carry no credentials, as Slack's clicks do.
        ("MINISTACK_ACCOUNT_ID", accounts.first.clone()),
        ("CORDON_ORGANISATION", accounts.organization()),
        // Without it the functions would call the real AWS.
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        // Other listeners that it would open beside its port.
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("SFTP_ENABLED", "0".to_owned()),
        // It removes containers of other emulators when it finds a daemon.
        ("DOCKER_HOST", "unix:///nonexistent/docker.sock".to_owned()),
        ("PERSIST_STATE", "1".to_owned()),
        ("STATE_DIR", state.display().to_string()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

pub(crate) fn reset_dir(folder: &Path) -> Result<(), SandboxError> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(SandboxError::io(format!("cannot remove `{}`", folder.display())))?;
    }
    layout::create_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_option_that_changes_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = free_port(Some(port), "--page-port").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("port {port} is taken; stop what listens there or choose another with --page-port")
        );
        assert_ne!(free_port(None, "--port").unwrap(), port);
    }

    #[test]
    fn an_organisation_is_named_by_its_id_and_its_members_and_only_where_there_is_one() {
        let named = |members: &[&str]| {
            let members = members.iter().map(|account| (*account).to_owned()).collect();
            Accounts { first: String::new(), members }.organization()
        };
        assert_eq!(named(&[MANAGEMENT, "111111111111"]), "o-cordonsandbox,999999999999,111111111111");
        assert_eq!(named(&[]), "");
    }

    #[test]
    fn the_emulator_gets_nothing_of_the_callers_credentials() {
        let here = Path::new("/t");
        let accounts = Accounts { first: "111122223333".to_owned(), members: Vec::new() };
        let all = environment(4566, "http://127.0.0.1:4566", &accounts, here, here);
        let keys: Vec<_> = all.into_iter().map(|(key, _)| key).collect();
        assert!(!keys.contains(&"AWS_ACCESS_KEY_ID") && !keys.contains(&"AWS_PROFILE"));
    }
}
