//! A real Chromium, driven over `WebDriver`: <https://www.w3.org/TR/webdriver2/>.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::{Folder, Program, eventually, free_address};

/// Under which an element's id stands.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window, closed with the end of the test.
pub struct Browser {
    session: String,
    client: reqwest::Client,
    _driver: Program,
}

impl Drop for Browser {
    /// The driver ends its browser when its session ends; killed, it would leave it behind.
    fn drop(&mut self) {
        let address = self.session.trim_start_matches("http://");
        let Some((address, path)) = address.split_once('/') else {
            return;
        };
        // Blocking: nothing asynchronous can be waited for here.
        if let Ok(mut driver) = TcpStream::connect(address) {
            let request =
                format!("DELETE /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
            let sent = driver.write_all(request.as_bytes());
            // It comes when the main process of the browser has ended.
            let _ = sent.and_then(|()| driver.read(&mut [0; 64]));
        }
    }
}

impl Browser {
    /// With a window so many pixels wide and high.
    pub async fn start(width: u32, height: u32) -> Self {
        let folder = Folder::new();
        let address = free_address();
        let arguments = [
            format!("--port={}", address.port()),
            format!("--log-path={}", folder.argument("driver.log")),
        ];
        let mut driver = Program::start(
            "chromedriver",
            "chromium chromium-driver",
            folder,
            &arguments,
        );
        driver
            .answers(&format!("http://{address}/status"), "\"ready\":true")
            .await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            "mobileEmulation": { "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0, "touch": false } },
        });
        let capabilities = json!({
            "capabilities": { "alwaysMatch": { "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } } },
        });
        let session = format!("http://{address}/session");
        let answer = client
            .post(&session)
            .json(&capabilities)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str();
        Self {
            session: format!(
                "{session}/{}",
                id.unwrap_or_else(|| panic!("no session: {answer:#}"))
            ),
            client,
            _driver: driver,
        }
    }

    async fn call(&self, path: &str, body: Value) -> Result<Value, String> {
        let request = self.client.post(format!("{}{path}", self.session));
        let answer = request.json(&body).send().await.unwrap();
        let passed = answer.status().is_success();
        let mut answer: Value = answer.json().await.unwrap();
        let value = answer["value"].take();
        if passed {
            Ok(value)
        } else {
            Err(value.to_string())
        }
    }

    pub async fn open(&self, url: &str) {
        self.call("/url", json!({ "url": url })).await.unwrap();
    }

    /// Loads what is open anew.
    pub async fn reload(&self) {
        self.call("/refresh", json!({})).await.unwrap();
    }

    /// Opens a tab of its own for this and turns to it; the name of the tab.
    pub async fn open_tab(&self, url: &str) -> String {
        let tab = self.call("/window/new", json!({ "type": "tab" })).await;
        let tab = tab.unwrap()["handle"].as_str().unwrap().to_owned();
        self.turn_to(&tab).await;
        self.open(url).await;
        tab
    }

    /// From now on this tab, which is in front.
    pub async fn turn_to(&self, tab: &str) {
        let body = json!({ "handle": tab });
        self.call("/window", body).await.unwrap();
        self.protocol("Page.bringToFront", json!({})).await;
    }

    /// What a script returns, with these arguments.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        let body = json!({ "script": script, "args": arguments });
        self.call("/execute/sync", body).await.unwrap()
    }

    /// The text that is shown where this selector points, and `None` if it points nowhere.
    pub async fn text(&self, selector: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null";
        let text = self.run(script, json!([selector])).await;
        text.as_str().map(str::to_owned)
    }

    /// Waits until this text is shown there.
    pub async fn shows(&self, selector: &str, text: &str) {
        let what = format!("`{text}` at `{selector}`");
        eventually(&what, async || {
            self.text(selector)
                .await
                .filter(|shown| shown.contains(text))
        })
        .await;
    }

    /// Where it is.
    pub async fn path(&self) -> String {
        let path = self.run("return location.pathname", json!([])).await;
        path.as_str().unwrap().to_owned()
    }

    async fn on_element(&self, selector: &str, act: &str, body: Value) {
        eventually(&format!("{act} on `{selector}`"), async || {
            let query = json!({ "using": "css selector", "value": selector });
            let found = self.call("/element", query).await.ok()?;
            let id = found[ELEMENT].as_str()?;
            // What is rendered anew once a second may be gone again.
            self.call(&format!("/element/{id}/{act}"), body.clone())
                .await
                .ok()
        })
        .await;
    }

    pub async fn click(&self, selector: &str) {
        self.on_element(selector, "click", json!({})).await;
    }

    /// Types in place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.on_element(selector, "clear", json!({})).await;
        self.on_element(selector, "value", json!({ "text": text }))
            .await;
    }

    /// Puts the focus there.
    pub async fn focus(&self, selector: &str) {
        let script = "document.querySelector(arguments[0])?.focus()";
        self.run(script, json!([selector])).await;
    }

    /// Presses keys, one after the other, on whatever has the focus.
    pub async fn press(&self, keys: &[&str]) {
        let actions: Vec<_> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.call("/actions", json!({ "actions": [keyboard] }))
            .await
            .unwrap();
    }

    /// Says yes to what a page asks.
    pub async fn confirm(&self) {
        eventually("a question", async || {
            self.call("/alert/accept", json!({})).await.ok()
        })
        .await;
    }

    /// The page from its top, so many pixels of it at the most, as base64 of a PNG.
    pub async fn picture(&self, high: f64) -> String {
        let size = "const { scrollWidth, scrollHeight } = document.documentElement; return [scrollWidth, scrollHeight]";
        let size = self.run(size, json!([])).await;
        let height = size[1].as_f64().unwrap().min(high);
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": height, "scale": 1 });
        let parameters = json!({ "clip": clip, "captureBeyondViewport": true });
        let taken = self.protocol("Page.captureScreenshot", parameters).await;
        taken["data"].as_str().unwrap().to_owned()
    }

    /// Makes the window of the open page so many pixels wide; until the next page is opened.
    pub async fn resize(&self, width: u32) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.protocol("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// Shows pages from now on as they are printed, or as a screen shows them again.
    pub async fn print(&self, printed: bool) {
        let media = if printed { "print" } else { "" };
        self.protocol("Emulation.setEmulatedMedia", json!({ "media": media }))
            .await;
    }

    /// From now on as somebody who prefers dark pages sees them.
    pub async fn dark(&self) {
        self.prefer("dark").await;
    }

    /// From now on as somebody who prefers light pages sees them.
    pub async fn light(&self) {
        self.prefer("light").await;
    }

    async fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.protocol(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        )
        .await;
    }

    /// A command of the `DevTools` protocol.
    pub async fn protocol(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.call("/goog/cdp/execute", body).await.unwrap()
    }

    /// What pages complained of on the console of the browser.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self
            .call("/se/log", json!({ "type": "browser" }))
            .await
            .unwrap();
        let entries = log.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }
}
