//! What is simulated in the process of the service: bound first, served later.

use std::net::SocketAddr;

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio_util::sync::CancellationToken;

use super::{Bound, ServiceError};
use crate::{
    listener::Listeners,
    simulator::{BehaviourService, Rooms, Setup, Simulator},
};

/// Where the simulators listen.
#[derive(Debug, Clone, Copy)]
pub struct SimulatorAddresses {
    /// The contact centre, if there is one.
    pub centre: Option<SocketAddr>,
    /// The chat rooms, if there are any.
    pub rooms: Option<SocketAddr>,
    /// The behaviour service, if there is one.
    pub behaviour: Option<SocketAddr>,
}

const CENTRE: &str = "the simulator";
const ROOMS: &str = "the simulated chat rooms";
const BEHAVIOUR: &str = "the simulated behaviour service";

/// The simulators of a configuration.
pub(super) struct BoundSimulators {
    centre: Option<(Simulator, Bound)>,
    rooms: Option<(Rooms, Bound)>,
    behaviour: Option<(BehaviourService, Bound)>,
}

impl BoundSimulators {
    pub(super) fn bind(setup: Option<Setup>) -> Result<Self, ServiceError> {
        let Some(setup) = setup else {
            return Ok(Self {
                centre: None,
                rooms: None,
                behaviour: None,
            });
        };
        let centre = Bound::to(setup.listen, CENTRE, "simulator.listen")?;
        let rooms = setup.rooms.map(|settings| {
            let bound = Bound::to(settings.listen, ROOMS, "simulator.rooms.listen")?;
            Ok::<_, ServiceError>((Rooms::new(settings)?, bound))
        });
        let behaviour = setup.behaviour.map(|settings| {
            let setting = "simulator.behaviour.listen";
            let bound = Bound::to(settings.listen, BEHAVIOUR, setting)?;
            Ok::<_, ServiceError>((BehaviourService::new(settings)?, bound))
        });
        Ok(Self {
            centre: Some((Simulator::new(setup.centre)?, centre)),
            rooms: rooms.transpose()?,
            behaviour: behaviour.transpose()?,
        })
    }

    pub(super) fn addresses(&self) -> SimulatorAddresses {
        SimulatorAddresses {
            centre: self.centre.as_ref().map(|(_, bound)| bound.address),
            rooms: self.rooms.as_ref().map(|(_, bound)| bound.address),
            behaviour: self.behaviour.as_ref().map(|(_, bound)| bound.address),
        }
    }

    /// Serves each until `until`, counted among `listeners`; with what it is.
    pub(super) fn serve(
        self,
        listeners: &Listeners,
        until: &CancellationToken,
    ) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
        let mut all = Vec::new();
        if let Some((centre, bound)) = self.centre {
            let serving = centre.among(listeners).serve(bound.listener, until.clone());
            all.push((CENTRE, serving.boxed()));
        }
        if let Some((rooms, bound)) = self.rooms {
            let serving = rooms.among(listeners).serve(bound.listener, until.clone());
            all.push((ROOMS, serving.boxed()));
        }
        if let Some((service, bound)) = self.behaviour {
            let serving = service
                .among(listeners)
                .serve(bound.listener, until.clone());
            all.push((BEHAVIOUR, serving.boxed()));
        }
        all
    }
}
