use super::*;
use crate::fuzz::{fuzz, inputs};

/// What YAML is made of, what the language is made of, and numbers that do not fit.
const WORDS: &[&[u8]] = &[
    b"\n",
    b"\n  ",
    b"\n- ",
    b": ",
    b", ",
    b"{ ",
    b" }",
    b"[",
    b"]",
    b"- ",
    b"? ",
    b"'",
    b"\"",
    b"\\x",
    b"\\u202e",
    b"&a ",
    b"*a",
    b"&a [*a, *a]",
    b"<<: *a",
    b"<<: [*a]",
    b"!!binary ",
    b"!x ",
    b"---\n",
    b"...\n",
    b"%YAML 9.9\n",
    b"|+9\n",
    b">-\n",
    b"# ",
    b"\t",
    b"\r",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    "\u{2028}\u{202e}ä☃".as_bytes(),
    b"~",
    b"null",
    b".nan",
    b"-.inf",
    b"0x7f",
    b"1e999",
    b"-1",
    b"18446744073709551616",
    b"1_000",
    b"2026-01-01",
    b"1s",
    b"9999999999999h",
    b"-5ms",
    b"0.0000001s",
    b"1/s",
    b"1e300/s",
    b"101%",
    b"5MiB",
    b"99999999999GB",
    b"${HOME}",
    b"${X:-a}",
    b"${",
    b"{{ target.url }}",
    b"{{ x",
    b"{% for x in y %}",
    b"targets",
    b"scenarios",
    b"probes",
    b"bursts",
    b"burst",
    b"listen",
    b"callbacks",
    b"limits",
    b"simulator",
    b"scenario",
    b"target",
    b"steps",
    b"step",
    b"http",
    b"post",
    b"json",
    b"expect",
    b"capture",
    b"claim",
    b"think",
    b"repeat",
    b"together",
    b"wait_until",
    b"barrier",
    b"wait_for",
    b"timeout",
    b"always",
    b"teardown",
    b"setup",
    b"inputs",
    b"load",
    b"chats",
    b"ramp",
    b"rate",
    b"for",
    b"max_active",
    b"stages",
    b"customers",
    b"thresholds",
    b"p95",
    b"failed",
    b"abort",
    b"schedule",
    b"cron",
    b"0 0 30 2 *",
    b"*/0 * * * *",
    b"time_zone",
    b"secrets",
    b"variables",
    b"file",
    b"url",
    b"every",
];

/// Reads a text as a burst that somebody asks for; every problem has a message.
fn read_request(plan: &Plan, text: &str) -> Result<(), TestCaseError> {
    let Ok(node) = parse("request", text) else {
        return Ok(());
    };
    let problems = Problems::default();
    let caps = &plan.settings.caps;
    let burst = Burst::read_request(&node, &plan.bursts, &plan.catalogue, caps, &problems);
    let problems = problems.into_result().err().unwrap_or_default();
    prop_assert_eq!(burst.is_some(), problems.is_empty());
    prop_assert!(problems.iter().all(|problem| !problem.message.is_empty()));
    Ok(())
}

#[test]
fn no_document_breaks_the_readers_of_configurations_scenarios_and_requests() {
    let plan = Plan::load(Path::new("config/chatprobe.yaml"), SECTIONS).unwrap();
    fuzz("yaml", inputs("yaml", WORDS), |input| {
        let text = String::from_utf8_lossy(input);
        read_both(&text)?;
        read_request(&plan, &text)
    });
}
