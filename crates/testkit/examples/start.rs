//! Measures how long a function takes from being started to its first poll for work, against a Runtime API that only waits.
//!
//! `cargo run --release -p cordon-testkit --example start -- FOLDER`, where FOLDER is an unpacked zip of `cordon package`: its
//! `bootstrap` is started and loads what lies beside it, as on Lambda. With the path of an executable instead, that one is
//! started and loads the `cordon.toml` and `rules/` of the current folder. Nothing else is reached: the poll is never answered.

use std::io::{self, Read, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 41;

fn main() -> io::Result<()> {
    let Some(given) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: start FOLDER, or start FUNCTION"));
    };
    let (function, root) = if given.is_dir() { (given.join("bootstrap"), given) } else { (given, std::env::current_dir()?) };
    let api = TcpListener::bind("127.0.0.1:0")?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let mut command = Command::new(&function);
        command.env_clear().env("LAMBDA_TASK_ROOT", &root).env("AWS_LAMBDA_RUNTIME_API", api.local_addr()?.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_NAME", "classify"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("CORDON_OWN_PRINCIPALS", "arn:aws:iam::111111111111:role/cordon-*"),
            ("CORDON_TABLE", "none"),
            ("CORDON_TOPIC_ARN", "none"),
        ] {
            command.env(name, value);
        }
        let started = Instant::now();
        let mut child = command.spawn()?;
        let polled = first_poll(&api);
        let took = started.elapsed();
        child.kill()?;
        child.wait()?;
        polled?;
        times.push(took);
    }
    times.sort_unstable();
    let ms = |at: usize| times.get(at).map_or(0.0, |time: &Duration| time.as_secs_f64() * 1e3);
    println!("from start to the first poll, {RUNS} runs: {:.1} ms median, {:.1} to {:.1} ms", ms(RUNS / 2), ms(0), ms(RUNS - 1));
    io::stdout().flush()
}

/// Waits until somebody asks for work; nothing is answered.
fn first_poll(api: &TcpListener) -> io::Result<()> {
    let (mut connection, _) = api.accept()?;
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = connection.read(&mut buffer)?;
        request.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if read == 0 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&request);
    if text.starts_with("GET ") && text.contains("/runtime/invocation/next ") {
        Ok(())
    } else {
        Err(io::Error::other(format!("the function did not ask for work, but: {text}")))
    }
}
