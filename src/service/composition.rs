//! What runs need, composed once for the service and for the command line.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Bound, ServiceError, interval::every};
use crate::{
    callbacks::{CallbackLimits, Exchange, receiver},
    event::{Observers, ServiceEvent},
    runner::{Engine, HealthBudget, TraceBudget},
    scenario::Drivers,
    vitals::Vitals,
};

/// How often events that nobody asked for are given up, and connections that nobody uses closed.
const SWEEP: Duration = Duration::from_secs(1);

/// What differs between the compositions of the service and of the command line.
#[derive(Debug)]
pub struct CompositionParts {
    /// What actions reach targets with.
    pub drivers: Drivers,
    /// Who observes the runs.
    pub observers: Observers,
    /// The bound listener for inbound events.
    pub callbacks: Bound,
    /// How targets reach it, if not at its own address.
    pub callback_url: Option<String>,
    /// How inbound events are kept.
    pub limits: CallbackLimits,
    /// How late the generator itself may be.
    pub budget: HealthBudget,
}

/// The engine, and the receiver of the events that targets send to its runs.
#[derive(Debug)]
pub struct Composition {
    engine: Engine,
    callbacks: Bound,
}

impl Composition {
    /// Puts the parts together; nothing is served yet.
    ///
    /// # Errors
    /// The thread that watches the machine cannot be started.
    pub fn new(parts: CompositionParts) -> Result<Self, ServiceError> {
        let CompositionParts {
            drivers,
            observers,
            callbacks,
            callback_url,
            limits,
            budget,
        } = parts;
        let callback_url = callback_url.unwrap_or_else(|| format!("http://{}", callbacks.address));
        let engine = Engine {
            drivers,
            exchange: Exchange::new(limits, observers.clone()),
            callback_url: callback_url.into(),
            observers,
            budget,
            vitals: Vitals::start().map_err(ServiceError::Thread)?,
            traces: TraceBudget::default(),
        };
        Ok(Self { engine, callbacks })
    }

    /// What starts runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Receives events until `until`, and once a second gives up events and connections that nobody uses. What
    /// is being received then may still end in time. Dropping the future cuts it off.
    pub async fn serve(self, until: CancellationToken) {
        let Self { engine, callbacks } = self;
        let receiving = receiver::serve(callbacks.listener, engine.exchange.clone(), until);
        let sweeping = every(SWEEP, CancellationToken::new(), move |now, _| {
            engine.exchange.sweep(now);
            engine.drivers.close_expired();
            let figures = engine.exchange.listeners().figures();
            engine
                .observers
                .emit(&ServiceEvent::ListenersWatched(Box::new(figures)));
        });
        tokio::select! {
            () = receiving => {}
            () = sweeping => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    fn composition(callback_url: Option<&str>) -> Composition {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let address = "127.0.0.1:0".parse().unwrap();
        Composition::new(CompositionParts {
            drivers: Drivers::direct(),
            observers: Observers::default(),
            callbacks: Bound::to(address, "callbacks", "listen.callbacks").unwrap(),
            callback_url: callback_url.map(str::to_owned),
            limits: CallbackLimits::default(),
            budget: HealthBudget::default(),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn events_are_received_where_targets_are_told_to_send_them_until_the_end() {
        let composition = composition(None);
        let url = composition.engine().callback_url.clone();
        let address = url.strip_prefix("http://").unwrap();
        let until = CancellationToken::new();
        let serving = tokio::spawn(composition.serve(until.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "POST /nobody HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        until.cancel();
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn targets_are_told_another_address_if_one_is_given() {
        let composition = composition(Some("https://proxy.example.com/in"));
        let told = &*composition.engine().callback_url;
        assert_eq!(told, "https://proxy.example.com/in");
    }
}
