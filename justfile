# The developer's loop. `just` lists the recipes; `.ci/run` runs the stages one by one and prints the time of each.

functions := "classify check-exceptions notify wait-for-approval slack-callback remediate"

set shell := ["bash", "-euo", "pipefail", "-c"]

[private]
default:
    @just --list --unsorted

# Every stage that needs no tests: formatting, lints, docs, dependencies, workflows, Terraform, rules and policy
[group('loop')]
check: fmt lint doc deny workflows terraform rules

# All tests; ends with what was skipped, the totals and the time
[group('loop')]
test *arguments:
    .ci/test --workspace {{ arguments }}

# One crate: its lints and its tests, such as `just crate flow`
[group('loop')]
crate name *arguments:
    cargo clippy --locked -p cordon-{{ name }} --all-targets -- -D warnings
    .ci/test -p cordon-{{ name }} {{ arguments }}

# The end-to-end tests alone, on the sandbox
[group('loop')]
e2e *arguments:
    .ci/test -p cordon-tests --test workflow {{ arguments }}

# The sandbox, until Ctrl-C; `just sandbox --once` plays the story and ends
[group('loop')]
sandbox *arguments:
    cargo run --locked -- sandbox {{ arguments }}

# Fuzzes the scanner of records against serde_json: libFuzzer on the stable toolchain, by a C++ compiler and nothing else
[group('loop')]
fuzz seconds="60":
    #!/usr/bin/env bash
    set -euo pipefail
    cd crates/json-scan/fuzz
    # The flags of `cargo fuzz` without a sanitizer. With a target, build scripts are left out of them.
    host=$(rustc -vV | sed -n 's/^host: //p')
    coverage="-sanitizer-coverage-level=4 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table -sanitizer-coverage-trace-compares"
    export RUSTFLAGS="-Cpasses=sancov-module $(printf -- '-Cllvm-args=%s ' $coverage) --cfg fuzzing -Cdebug-assertions -Coverflow-checks"
    cargo build --release --locked --target "$host"
    mkdir -p corpus artifacts
    if [ -n "${CORDON_JSON_TEST_SUITE:-}" ]; then cp "$CORDON_JSON_TEST_SUITE"/test_parsing/*.json corpus/; fi
    "target/$host/release/scan" -max_len=4096 -max_total_time={{ seconds }} -artifact_prefix=artifacts/ -print_final_stats=1 corpus

# The replay's speed on made-up logs of 200 MB, as in docs/benchmarks.md
[group('loop')]
bench folder="target/bench/traffic":
    [ -d {{ folder }} ] || cargo run --release --locked -p cordon-replay --example traffic -- {{ folder }} 200
    cargo run --release --locked -p cordon-replay --example speed -- {{ folder }} rules

# The seven functions for Lambda, and their zips in dist/; needs cargo-lambda. ARCHITECTURE is arm64 or x86_64
[group('loop')]
package architecture="arm64":
    cargo lambda build --locked --profile lambda --{{ replace(architecture, "_", "-") }} {{ prepend("-p ", functions) }}
    cargo run --locked -- package --architecture {{ architecture }}

# The files of a release, in target/release-files: the functions' zips and executables, and an SBOM of each; needs cargo-cyclonedx
[group('loop')]
release architecture version: (package architecture)
    #!/usr/bin/env bash
    set -euo pipefail
    name="cordon-{{ version }}-{{ architecture }}"
    out="$PWD/target/release-files"
    mkdir -p "$out"
    rm -f "$out/$name".*
    (cd dist && zip -q -X "$out/$name.zip" ./*.zip manifest.json)
    (cd target/lambda && zip -q -X -r "$out/$name.bootstraps.zip" {{ functions }})
    target={{ if architecture == "arm64" { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" } }}
    cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --describe binaries
    (cd functions && zip -q -X -j "$out/$name.sbom.zip" $(find . -name '*.cdx.json'))
    find crates functions tests -name '*.cdx.json' -delete

# Formats everything
[group('loop')]
format:
    cargo fmt --all
    terraform fmt -recursive infra

[group('stages')]
fmt:
    cargo fmt --all -- --check

[group('stages')]
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Every link and every doc comment of the workspace
[group('stages')]
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Licences, banned and doubled crates, sources, and advisories where their database can be reached
[group('stages')]
deny:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo deny --locked --log-level error check --hide-inclusion-graph bans licenses sources
    if timeout 60 cargo deny --log-level off fetch db >/dev/null 2>&1; then
      cargo deny --locked --log-level error check --disable-fetch advisories
    else
      echo "skipped: advisories, because the RustSec database cannot be reached"
    fi

# The GitHub workflows: pinned actions, least permissions, no injection
[group('stages')]
workflows:
    zizmor --offline --quiet .github

# Terraform's format, and each root module
[group('stages')]
terraform:
    .ci/terraform

# cordon.toml, the rules and their cases
[group('stages')]
rules:
    cargo run --locked -- check

# Installs Chromium and ChromeDriver where they are missing; the tests of the sandbox's page need them
[group('stages')]
browser:
    #!/usr/bin/env bash
    set -euo pipefail
    if command -v chromedriver >/dev/null && { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
      exit 0
    fi
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt-get update -q >"$log" 2>&1 || true
    apt-get install -y -q --no-install-recommends chromium chromium-driver >>"$log" 2>&1 || { tail -20 "$log"; exit 1; }

# Nothing that ran before may leave files behind
[group('stages')]
clean-tree:
    #!/usr/bin/env bash
    set -euo pipefail
    left=$(git status --porcelain)
    if [ -n "$left" ]; then printf '%s\n' "$left" "the stages before left these files behind"; exit 1; fi
