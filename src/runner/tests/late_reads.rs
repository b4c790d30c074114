//! Answers that were read late are held against the load generator.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::*;
use crate::{
    arrival::testing::{BUSY, Meetings, stamped_connection},
    event::RunEvent,
};

const ASK: &str = "steps: [ { step: ask, http: { get: '{{ target.url }}' } } ]";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Keeps the only thread of the runtime when the first step has ended.
struct Busy {
    meetings: Arc<Meetings>,
    was: AtomicBool,
}

impl RunObserver for Busy {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        let has_ended = matches!(event, RunEvent::StepEnded { .. });
        if has_ended && !self.was.swap(true, Ordering::Relaxed) {
            self.meetings.block();
        }
    }
}

/// The first of two requests is answered at once, and the second while the step of the first ends.
fn answer_two(listener: &TcpListener, meetings: &Meetings) -> [TcpStream; 2] {
    let asked = || {
        let (mut stream, _) = listener.accept().unwrap();
        // A request of one segment.
        assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
        stream
    };
    let [mut first, mut second] = [asked(), asked()];
    first.write_all(OK).unwrap();
    meetings.while_busy(|| second.write_all(OK).unwrap());
    [first, second]
}

async fn run_with(read_delay_p99: Duration) -> RunReport {
    let _stamped = stamped_connection().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut bench = Bench::against(Target::new("t", &url));
    let meetings = Meetings::new();
    bench.hear_first(Arc::new(Busy {
        meetings: meetings.clone(),
        was: AtomicBool::new(false),
    }));
    bench.engine.budget = HealthBudget {
        start_lateness_p99: Duration::from_hours(1),
        send_lateness_p99: Duration::from_hours(1),
        scheduler_lag_p99: Duration::from_hours(1),
        read_delay_p99,
        ..budget()
    };
    let server = thread::spawn(move || answer_two(&listener, &meetings));
    let report = bench.run(ASK, "{ chats: 2 }").await;
    server.join().unwrap();
    assert_eq!(report.chats.passed, 2, "{:?}", report.failures);
    assert_eq!(report.read_delay.count, 2);
    let longest = report.read_delay.max.unwrap();
    assert!(longest >= BUSY.as_secs_f64(), "{longest}");
    assert!(report.precision.unwrap() >= 0.99 * longest, "{report:?}");
    report
}

#[tokio::test]
async fn answers_that_were_read_later_than_the_budget_allows_make_a_run_invalid() {
    let report = run_with(BUSY / 2).await;
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let reasons = report.verdict_reasons.join("\n");
    assert!(
        reasons.contains("answers, events or frames that had arrived were read up to "),
        "{reasons}"
    );
    let report = run_with(Duration::from_hours(1)).await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
}
