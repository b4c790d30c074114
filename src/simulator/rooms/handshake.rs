//! The handshake of a client.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    house::House,
    protocol::ClientFrame,
    socket::{self, ClientPlace},
};
use crate::{
    listener::{Upgrade, Upgraded},
    simulator::handshake::{HandshakeRefusal, switch},
};

/// The subprotocol; clients need not offer it.
const SUBPROTOCOL: &str = "rooms";

/// What may stand behind the address.
#[derive(Debug, Deserialize)]
pub(super) struct AddressQuery {
    /// The room that the client is a member of from the beginning.
    room: Option<String>,
    name: Option<String>,
}

/// Answers a handshake; the socket lives in the task of its connection. The client is taken in before it has the
/// answer, so that from then on it gets what is said.
pub(super) async fn handshake(
    State(house): State<Arc<House>>,
    Query(query): Query<AddressQuery>,
    headers: HeaderMap,
) -> Response {
    let accepted = accept(&house, &headers).and_then(|answer| {
        let place = ClientPlace::take(&house).ok_or(HandshakeRefusal::Full)?;
        Ok((answer, place))
    });
    let response = match accepted {
        Ok((answer, place)) => {
            if let Some(room) = query.room {
                house.carry_out(place.id, ClientFrame::join(room, query.name));
            }
            let mut response = (StatusCode::SWITCHING_PROTOCOLS, answer).into_response();
            let place = Mutex::new(Some(place));
            let upgrade = Upgrade::new(move |upgraded: Upgraded| {
                let place = place.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    // The listener asks once.
                    if let Some(place) = place {
                        socket::serve(place, upgraded).await;
                    }
                }
            });
            response.extensions_mut().insert(upgrade);
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    house.statistics.handshake(response.status().as_u16());
    response
}

fn accept(house: &House, headers: &HeaderMap) -> Result<HeaderMap, HandshakeRefusal> {
    if let Some(status) = house.refuses() {
        let status = StatusCode::from_u16(status.into());
        return Err(HandshakeRefusal::Fault(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        ));
    }
    let answer = switch(headers, SUBPROTOCOL)?;
    if house.shutdown.is_cancelled() {
        return Err(HandshakeRefusal::Full);
    }
    Ok(answer)
}
