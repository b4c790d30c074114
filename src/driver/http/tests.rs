mod failures;
mod requests;
mod resend;
mod server;
mod tls;

use std::time::Duration;

use reqwest::Method;

use super::*;

fn driver() -> HttpDriver {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    HttpDriver::new().unwrap()
}

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: Method::GET,
        url: url.into(),
        headers: Vec::new(),
        query: Vec::new(),
        body: None,
        timeout: Duration::from_secs(10),
    }
}

fn post(url: impl Into<String>, body: HttpBody) -> HttpRequest {
    HttpRequest {
        method: Method::POST,
        body: Some(body),
        ..get(url)
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
