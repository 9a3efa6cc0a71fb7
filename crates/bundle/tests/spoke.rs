//! The Terraform module's tests run on what the package gives them, and on nothing written by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use cordon_bundle::{Spoke, read_config};

#[test]
fn the_modules_tests_have_what_the_package_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/modules/spoke/tests");
    let config = read_config(&folder.join("cordon.toml")).unwrap();
    let written = format!("{:#}\n", serde_json::to_value(Spoke::of(&config).unwrap()).unwrap());
    let file = folder.join("spoke.json");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept != written {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spoke.json");
        std::fs::write(&fresh, written).unwrap();
        panic!(
            "{} is not what `cordon package` writes; look at the difference, and copy {} there",
            file.display(),
            fresh.display()
        );
    }
}
