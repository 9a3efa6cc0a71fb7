//! The launcher's own tests, in Python: what it adds to the emulator for several accounts, and what that refuses.
//!
//! They start the pinned emulator on a free port of 127.0.0.1. It comes from PyPI, as for the end-to-end tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use cordon_testkit::python::environment;

#[test]
fn the_launcher_passes_its_own_tests() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
    let python = environment(&folder, &crate_folder.join("requirements.txt")).unwrap();
    let output = Command::new(python)
        .args(["-m", "unittest", "discover"])
        .current_dir(crate_folder.join("launcher/tests"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // `discover` passes where it finds nothing.
    assert!(said.contains("\nOK") && !said.contains("Ran 0 tests"), "{said}");
}
