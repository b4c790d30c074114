//! The session of a virtual user: sends requests and reads their answers.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::header::SET_COOKIE;
use tokio::time::timeout;

use super::{
    Cookies, HttpAnswer, HttpClient, HttpFailure, HttpFailureKind, HttpRequest,
    answer::{ReadAnswer, read},
    failure::Cause,
    pool::{Connection, Pool},
    prepared::prepare,
    redirect, resend,
    stream::is_event_stream,
};
use crate::driver::transport::{Progress, Sharing, shown_server};

/// The state of one virtual user at a target. It sends one request after the other.
pub struct HttpSession {
    client: HttpClient,
    /// Connections that nobody else may use.
    own: Vec<(Arc<Pool>, Connection)>,
    /// Requests that were sent once more. It is kept here and not with the answer, so that a request that
    /// is given up counts too.
    resent: u32,
    cookies: Option<Arc<Cookies>>,
}

/// Whether a request has been handed to a connection. From then on the server may have seen it, even if
/// no answer comes.
#[derive(Debug, Default)]
pub struct OnWire(AtomicBool);

impl OnWire {
    /// Whether the server may have seen the request.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl HttpSession {
    pub(super) fn of(client: HttpClient) -> Self {
        Self {
            client,
            own: Vec::new(),
            cookies: None,
            resent: 0,
        }
    }

    /// Sends a request and reads the answer; any status is an answer, but redirects are followed as often
    /// as the request says.
    ///
    /// A request that meets an idle connection closed under it, before an answer, is sent once
    /// more on a fresh connection. A fresh connection that closes is a failure: a server that
    /// crashes must show, and a POST must not be doubled.
    pub async fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        self.send_watched(request, &OnWire::default()).await
    }

    /// The same for whoever may give up waiting for the answer: `on_wire` says then whether the server may
    /// have seen the request.
    pub async fn send_watched(
        &mut self,
        request: &HttpRequest,
        on_wire: &OnWire,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut progress = Progress::begin(request.timeout);
        let mut redirects = Vec::new();
        let exchange = self.exchange(request, on_wire, &mut progress, &mut redirects);
        let result = timeout(request.timeout, exchange).await;
        let sent_at = progress.sent_at;
        let cause = match result {
            Ok(Ok(exchanged)) => {
                return Ok(HttpAnswer {
                    status: exchanged.status,
                    headers: exchanged.headers,
                    body: exchanged.body,
                    sent_at,
                    elapsed: exchanged.arrival.at.saturating_duration_since(sent_at),
                    read_delay: exchanged.arrival.read_delay,
                    waited: progress.waited(),
                    phases: progress.phases(),
                    certificate_expires: progress.certificate_expires,
                    redirects,
                    stream: exchanged.stream,
                });
            }
            Ok(Err(cause)) => cause,
            Err(_) => self.out_of_time(request, &progress),
        };
        let url = redirects.last().unwrap_or(&request.url);
        Err(located(cause.after(&progress), url))
    }

    /// The same with these cookies: what an answer sets is kept, redirects included.
    #[must_use]
    pub fn keeping(mut self, cookies: Option<Arc<Cookies>>) -> Self {
        self.cookies = cookies;
        self
    }

    /// The same with these from now on, which an answer over another protocol has set.
    pub fn keep(&mut self, cookies: Arc<Cookies>) {
        self.cookies = Some(cookies);
    }

    /// The cookies, if they are kept.
    pub fn cookies(&self) -> Option<&Arc<Cookies>> {
        self.cookies.as_ref()
    }

    /// How often a request was sent once more since this was asked last, whatever became of it.
    pub fn take_resent(&mut self) -> u32 {
        std::mem::take(&mut self.resent)
    }

    /// Exchanges a request for an answer, and while that is a redirect to follow, another one for the next.
    async fn exchange(
        &mut self,
        request: &HttpRequest,
        on_wire: &OnWire,
        progress: &mut Progress,
        followed: &mut Vec<String>,
    ) -> Result<ReadAnswer, Cause> {
        let mut redirected = None;
        loop {
            let current = redirected.as_deref().unwrap_or(request);
            let exchanged = self.exchange_once(current, on_wire, progress).await?;
            if let Some(cookies) = &mut self.cookies
                && exchanged.headers.contains_key(SET_COOKIE)
            {
                Arc::make_mut(cookies).keep(&current.url, &exchanged.headers);
            }
            let Some(redirects) = &request.redirects else {
                return Ok(exchanged);
            };
            let next = redirect::follow(current, redirects, exchanged.status, &exchanged.headers)?;
            let Some(next) = next else {
                return Ok(exchanged);
            };
            if followed.len() >= redirects.most {
                return Err(redirect::too_many(redirects.most, &next));
            }
            followed.push(next.url.clone());
            redirected = Some(Box::new(next));
        }
    }

    async fn exchange_once(
        &mut self,
        request: &HttpRequest,
        on_wire: &OnWire,
        progress: &mut Progress,
    ) -> Result<ReadAnswer, Cause> {
        let (pool, path) = self.client.pool(&request.url)?;
        let cookies = self.cookies.as_ref();
        let cookie = cookies.and_then(|cookies| cookies.header(&request.url));
        let cookie = cookie.as_deref();
        let prepared = prepare(&pool.origin, path, request, cookie)?;
        let mut connection = self.connection(&pool, progress).await?;
        progress.send();
        on_wire.set();
        let exchanged = match connection.sender.send(prepared).await {
            Ok(response) => {
                let arrivals = &connection.sender.arrivals;
                progress.head_arrived(arrivals.latest().at);
                if request.streams_events && is_event_stream(&response) {
                    return Ok(ReadAnswer::streamed(response, connection));
                }
                read(response, request.body_limit, arrivals).await?
            }
            Err(lost) => {
                resend::check(connection.used, &request.method, &connection.sender, &lost)?;
                let again = prepare(&pool.origin, path, request, cookie)?;
                connection = pool.replace(connection, progress).await?;
                self.resent += 1;
                let again = connection.sender.send(again).await;
                let response = again.map_err(|error| Cause::of(&error).after_resend())?;
                let arrivals = &connection.sender.arrivals;
                progress.head_arrived(arrivals.latest().at);
                if request.streams_events && is_event_stream(&response) {
                    return Ok(ReadAnswer::streamed(response, connection));
                }
                let read = read(response, request.body_limit, arrivals).await;
                read.map_err(Cause::after_resend)?
            }
        };
        if !exchanged.complete {
            return Ok(exchanged);
        }
        match self.client.0.connections.sharing {
            Sharing::Shared { .. } => pool.give_back(connection),
            Sharing::PerCustomer => {
                connection.used = true;
                self.own.push((pool, connection));
            }
        }
        Ok(exchanged)
    }

    /// One that is ready for a request.
    async fn connection(
        &mut self,
        pool: &Arc<Pool>,
        progress: &mut Progress,
    ) -> Result<Connection, Cause> {
        let own = (self.own.iter()).position(|(known, _)| Arc::ptr_eq(known, pool));
        match own {
            Some(at) => {
                progress.granted_at_once();
                let connection = self.own.swap_remove(at).1;
                pool.ready(connection, progress).await
            }
            None => pool.connection(progress).await,
        }
    }

    fn out_of_time(&self, request: &HttpRequest, progress: &Progress) -> Cause {
        if !progress.is_granted()
            && let Ok((pool, _)) = self.client.pool(&request.url)
        {
            return pool.shortage(request.timeout).into();
        }
        progress.out_of_time().into()
    }
}

/// Without its connections: what they belong to may hold a password.
impl fmt::Debug for HttpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HttpSession");
        debug.field("client", &self.client).finish_non_exhaustive()
    }
}

/// Says of a failure between us and the server which server.
fn located(mut failure: HttpFailure, url: &str) -> HttpFailure {
    use HttpFailureKind::{
        AnswerTooLarge, BadRequest, Connect, Dns, Exhausted, Redirect, Timeout, Tls,
    };
    match failure.kind {
        Dns | Connect | Tls | Timeout | Redirect => {}
        BadRequest | AnswerTooLarge | Exhausted => return failure,
    }
    if let Some(server) = shown_server(url) {
        failure.detail.insert_str(0, &format!("{server}: "));
    }
    failure
}
