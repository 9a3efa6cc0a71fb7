//! The page as a person uses it: a real browser, real buttons, and IAM's own answer at the end.
//!
//! Needs Debian's `chromium` and `chromium-driver`, or a ChromeDriver and browser that `CORDON_CHROMEDRIVER` and
//! `CORDON_CHROMIUM` name. Without them these tests are skipped, unless `CORDON_REQUIRE` says `browser`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cordon_testkit::Need;
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::Test;
use crate::deployment::{APPROVAL, Deployment, ENFORCE};

const POLL: Duration = Duration::from_millis(150);
/// A browser beside two dozen other tests on a busy machine takes its time.
const LIMIT: Duration = Duration::from_secs(300);

/// ChromeDriver, stopped with the browsers that it started when this is dropped.
struct Browser {
    process: Child,
    driver: Option<Client>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A group of its own, because ChromeDriver leaves its browser behind when it is killed.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}

fn found(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|file| file.is_file())
}

impl Browser {
    /// `None`, and a line that says so, where there is no browser and none is required.
    async fn start() -> Option<Self> {
        use std::os::unix::process::CommandExt as _;
        let chromedriver = found("CORDON_CHROMEDRIVER", &["chromedriver"]);
        let chromium = found("CORDON_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"]);
        let (Some(chromedriver), Some(chromium)) = (chromedriver, chromium) else {
            Need::Browser.skip("no chromedriver and chromium on the path");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(chromedriver)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut browser = Self { process, driver: None };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-prefers-reduced-motion",
        ];
        let options = json!({"args": arguments, "binary": chromium.display().to_string()});
        let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let began = Instant::now();
        let driver = loop {
            let mut client = ClientBuilder::new(HttpConnector::new());
            match client.capabilities(capabilities.clone()).connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(driver) => break driver,
                Err(error) => assert!(began.elapsed() < LIMIT, "the browser does not start: {error}"),
            }
            tokio::time::sleep(POLL).await;
        };
        driver.set_window_size(1500, 1300).await.unwrap();
        browser.driver = Some(driver);
        Some(browser)
    }

    fn driver(&self) -> &Client {
        self.driver.as_ref().unwrap()
    }

    /// The page with a deployment chosen.
    async fn opens(&self, deployment: &Deployment) -> Test {
        self.driver().goto(deployment.page_url()).await?;
        let choice = format!("#stack-select option[value='{}']", deployment.stack.spec.name);
        self.find(&choice).await.click().await?;
        Ok(())
    }

    async fn find(&self, selector: &str) -> Element {
        let began = Instant::now();
        loop {
            match self.driver().find(Locator::Css(selector)).await {
                Ok(element) => return element,
                Err(error) => assert!(began.elapsed() < LIMIT, "`{selector}` never appears: {error}"),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The text of the element that `xpath` names, once it satisfies `wanted`. The page is drawn anew all the time, so elements are
    /// looked up again on every try.
    async fn text_where(&self, xpath: &str, wanted: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        let mut last = "nothing".to_owned();
        loop {
            if let Ok(element) = self.driver().find(Locator::XPath(xpath)).await
                && let Ok(text) = element.text().await
            {
                if wanted(&text) {
                    return text;
                }
                last = text;
            }
            assert!(began.elapsed() < LIMIT, "`{xpath}` never becomes what it should; it is:\n{last}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Presses a button, again where the page was drawn anew under the pointer.
    async fn presses(&self, xpath: &str) {
        let began = Instant::now();
        loop {
            let pressed = match self.driver().find(Locator::XPath(xpath)).await {
                Ok(button) => button.click().await,
                Err(error) => Err(error),
            };
            match pressed {
                Ok(()) => return,
                Err(error) => assert!(began.elapsed() < LIMIT, "`{xpath}` cannot be pressed: {error}"),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn has(&self, xpath: &str) -> bool {
        self.driver().find(Locator::XPath(xpath)).await.is_ok()
    }
}

fn card_of(user: &str) -> String {
    format!("//div[@id='messages']//article[contains(., '{user}') and contains(., 'AttachUserPolicy')]")
}

fn incident_of(user: &str) -> String {
    format!("//div[@id='incident-list']//article[contains(., '{user}')]")
}

#[tokio::test]
async fn a_person_approves_in_the_browser_and_sees_what_came_of_it() -> Test {
    let Some(browser) = Browser::start().await else { return Ok(()) };
    let deployment = Deployment::get(ENFORCE);
    browser.opens(&deployment).await?;
    let user = "iam-test-browser";
    let attacker = deployment.user(user).await;
    attacker.attaches_administrator_to(user).await;

    let card = card_of(user);
    let text = browser.text_where(&card, |text| text.contains("Approve")).await;
    for part in ["AdministratorAccess", "iam:DetachUserPolicy", "iam:PutUserPolicy", "127.0.0.1"] {
        assert!(text.contains(part), "{part} is not on the card:\n{text}");
    }
    browser.presses(&format!("({card})[1]//button[normalize-space()='Approve']")).await;
    // Slack's own dialog asks before an approval goes out.
    browser.presses("//dialog[@id='confirm' and @open]//button[@id='confirm-yes']").await;

    let ended = browser.text_where(&card, |text| text.to_lowercase().contains("contained")).await;
    assert!(!ended.contains("Approve\n"), "the buttons are still there:\n{ended}");
    assert!(!browser.has(&format!("({card})[1]//button[normalize-space()='Approve']")).await, "{ended}");
    attacker.is_refused(user).await;

    let incident = incident_of(user);
    let shown = browser.text_where(&incident, |text| text.contains("Contained")).await;
    assert!(shown.contains("hash-chained"), "{shown}");
    let path = browser.text_where(&format!("{incident}//ol[@class='path']"), |text| text.contains("Contained")).await;
    for state in ["Classify", "Check exceptions", "Wait for approval", "Remediate", "Settle", "Verify"] {
        assert!(path.contains(state), "{state} is not on the path:\n{path}");
    }
    let timeline = format!("{incident}//ol[contains(@class, 'timeline')]/li");
    if !browser.has(&format!("{incident}//details[@open]")).await {
        browser.presses(&format!("{incident}//summary")).await;
    }
    let entries = browser.driver().find_all(Locator::XPath(&timeline)).await?;
    assert!(entries.len() >= 8, "{} entries on the timeline", entries.len());
    Ok(())
}

#[tokio::test]
async fn a_stranger_presses_approve_and_is_told_why_not() -> Test {
    let Some(browser) = Browser::start().await else { return Ok(()) };
    let deployment = Deployment::get(ENFORCE);
    browser.opens(&deployment).await?;
    let user = "iam-test-stranger";
    let attacker = deployment.user(user).await;
    attacker.attaches_administrator_to(user).await;
    let card = card_of(user);
    browser.text_where(&card, |text| text.contains("Approve")).await;
    browser.presses("//div[@id='people-choices']//label[contains(., 'Ben')]").await;
    browser.presses(&format!("({card})[1]//button[normalize-space()='Approve']")).await;
    browser.presses("//dialog[@id='confirm' and @open]//button[@id='confirm-yes']").await;
    browser.text_where("//div[@id='messages']", |text| text.contains("not on the list of approvers")).await;
    assert!(browser.has(&format!("({card})[1]//button[normalize-space()='Approve']")).await, "the buttons have to stay");
    attacker.creates_user("iam-test-stranger-after").await?;
    Ok(())
}

#[tokio::test]
async fn a_denial_asks_for_its_reason_in_a_dialog_and_changes_nothing() -> Test {
    let Some(browser) = Browser::start().await else { return Ok(()) };
    let deployment = Deployment::get(ENFORCE);
    browser.opens(&deployment).await?;
    let user = "iam-test-dialog";
    let attacker = deployment.user(user).await;
    attacker.attaches_administrator_to(user).await;
    let card = card_of(user);
    browser.text_where(&card, |text| text.contains("Deny")).await;
    // A person has one dialog at a time, and the tests beside this one deny as Alice.
    browser.presses("//div[@id='people-choices']//label[contains(., 'Mallory')]").await;
    browser.presses(&format!("({card})[1]//button[normalize-space()='Deny']")).await;
    browser.presses("//dialog[@id='confirm' and @open]//button[@id='confirm-yes']").await;
    let dialog = "//dialog[@id='modal' and @open]";
    browser.text_where(dialog, |text| text.contains("Deny")).await;
    let field = browser.driver().find(Locator::XPath(&format!("{dialog}//textarea"))).await?;
    field.send_keys("it is our own exercise").await?;
    browser.presses(&format!("{dialog}//button[@id='modal-submit']")).await;
    browser.text_where(&card, |text| text.contains("Denied")).await;
    let incident = deployment.closed(user, "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "denied");
    assert!(incident["log"].to_string().contains("it is our own exercise"), "{incident:#}");
    attacker.creates_user("iam-test-dialog-after").await?;
    Ok(())
}

#[tokio::test]
async fn the_glass_is_broken_in_the_browser_with_a_reason_that_the_skipped_are_told() -> Test {
    let Some(browser) = Browser::start().await else { return Ok(()) };
    let deployment = Deployment::get(APPROVAL);
    browser.opens(&deployment).await?;
    let user = "iam-test-glass-page";
    let attacker = deployment.user(user).await;
    attacker.attaches_administrator_to(user).await;
    let card = card_of(user);
    browser.text_where(&card, |text| text.contains("0 of 2 approvals")).await;
    // No dialog of Slack's own stands before it: the one that asks for the reason does.
    browser.presses(&format!("({card})[1]//button[normalize-space()='Break glass']")).await;
    let dialog = "//dialog[@id='modal' and @open]";
    browser.text_where(dialog, |text| text.contains("Each of them is told")).await;
    let field = browser.driver().find(Locator::XPath(&format!("{dialog}//textarea"))).await?;
    field.send_keys("nobody else is awake").await?;
    browser.presses(&format!("{dialog}//button[@id='modal-submit']")).await;
    let told = "//div[@id='messages']//article[contains(., 'You were not waited for')]";
    let told = browser.text_where(told, |text| text.contains("nobody else is awake")).await;
    assert!(told.contains("Ben"), "{told}");
    attacker.is_refused(user).await;
    let ended = browser.text_where(&card, |text| text.contains("Approved alone, past the quorum")).await;
    assert!(ended.contains("nobody else is awake"), "{ended}");
    Ok(())
}
