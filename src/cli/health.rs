use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use hyper::Method;

use super::{
    Configuration, Outcome,
    output::{print, tell},
    report_problems, unusable,
};
use crate::{
    config::{Kind, Listen, read_configuration},
    document::{Mapping, Problem, Problems, settings},
    driver::{Endpoint, HttpDriver, HttpRequest},
    target::check_url,
};

/// Shorter than the time limit of the container's health check, so that the reason is told.
const TIMEOUT: Duration = Duration::from_secs(3);

/// `chatprobe health`: the health check of the container, whose image has no other HTTP client.
#[derive(Debug, clap::Args)]
pub(super) struct Health {
    #[command(flatten)]
    configuration: Configuration,

    /// What has to answer 200 [default: `/healthz` at `listen.web` of the configuration].
    #[arg(long, value_name = "URL", value_parser = check_url)]
    url: Option<String>,
}

impl Health {
    pub(super) async fn run(self) -> Outcome {
        let url = match self.url() {
            Ok(url) => url,
            Err(outcome) => return outcome,
        };
        let mut customer = match HttpDriver::new() {
            Ok(http) => http.client(&Endpoint::default()).session(),
            Err(error) => return unusable(error),
        };
        let request = HttpRequest {
            method: Method::GET,
            url: url.clone(),
            headers: Vec::new(),
            query: Vec::new(),
            body: None,
            timeout: TIMEOUT,
            body_limit: None,
            redirects: None,
            streams_events: false,
        };
        match customer.send(&request).await {
            Ok(answer) if answer.status == 200 => {
                print(&format!("{url} is well"), Outcome::Success)
            }
            Ok(answer) => failed(format_args!("{url} answered {}", answer.status)),
            Err(failure) => failed(format_args!("{url}: {failure}")),
        }
    }

    fn url(&self) -> Result<String, Outcome> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        let listen = self
            .listen()
            .map_err(|problems| report_problems(&problems))?;
        if listen.web.port() == 0 {
            return Err(unusable(
                "`listen.web` takes any free port; say with --url what to ask",
            ));
        }
        Ok(format!("http://{}/healthz", reachable(listen.web)))
    }

    /// Reads `listen` alone: a service is not ill because of a problem elsewhere in a
    /// configuration that it has not taken yet.
    fn listen(&self) -> Result<Listen, Vec<Problem>> {
        let (problems, elsewhere) = (Problems::default(), Problems::default());
        let node = read_configuration(&self.configuration.config, &elsewhere);
        let node = node.map_err(|one| vec![one])?;
        if !Kind::Configuration.fits(&node, &problems) {
            return Err(problems.into_result().err().unwrap_or_default());
        }
        let listen = Mapping::open(&node, "a configuration", &problems)
            .and_then(|mut map| map.get("listen"))
            .and_then(|node| settings(node, &problems));
        problems.into_result()?;
        Ok(listen.unwrap_or_default())
    }
}

fn failed(message: impl std::fmt::Display) -> Outcome {
    tell(format_args!("chatprobe: {message}"));
    Outcome::Failed
}

/// A listener on every address is reached on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
