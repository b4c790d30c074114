use super::*;
use crate::{config::files::parse_configuration, document::canonical};

fn lookup(name: &str) -> Result<String, env::VarError> {
    let value = match name {
        "HOST" => "chat.example.com",
        "CHATS" => "200",
        "TENANT" => "007",
        "FLAG" => "True",
        "WORD" => "null",
        "EMPTY" => "",
        "PRICE" => "$5 ${HOST}",
        "API_TOKEN" => "s3cret-value",
        "TOKEN_FILE" => "/run/token",
        _ => return Err(env::VarError::NotPresent),
    };
    Ok(value.to_owned())
}

/// The values of a configuration, or its problems.
fn read(text: &str) -> Result<Node, Vec<String>> {
    let problems = Problems::default();
    let node = parse_configuration("c.yaml", text, &lookup, &problems).unwrap();
    let list = problems.into_result().err().unwrap_or_default();
    if list.is_empty() {
        return Ok(node);
    }
    Err(list.iter().map(ToString::to_string).collect())
}

fn text(yaml: &str) -> String {
    let node = read(&format!("a: {yaml}")).unwrap();
    node.find("a").unwrap().as_written().unwrap().to_owned()
}

#[test]
fn variables_and_defaults_are_put_into_values() {
    for (yaml, value) in [
        ("https://${HOST}/a", "https://chat.example.com/a"),
        ("${NONE:-https://other:4000/x}", "https://other:4000/x"),
        ("${EMPTY:-not empty}", "not empty"),
        ("'${EMPTY}'", ""),
        ("${HOST:-unused}", "chat.example.com"),
        ("${NONE:-}", ""),
        ("${NONE:-${HOST}:1}", "chat.example.com:1"),
        ("${NONE:-${ALSO_NONE:-b}}c", "bc"),
        ("$$5 and $${HOST} and $HOST", "$5 and ${HOST} and $HOST"),
        ("\"${HOST}\"", "chat.example.com"),
        ("${PRICE}", "$5 ${HOST}"),
        ("cost $", "cost $"),
    ] {
        assert_eq!(text(yaml), value, "{yaml}");
    }
}

#[test]
fn references_stand_in_mappings_and_lists_on_one_line_without_quotes() {
    let given =
        read("a: { b: ${CHATS}, c: [${HOST}, '${HOST}', ${NONE:-x: {y}, [z] #}] } # ${COMMENT}\n");
    let plain = read("a: { b: 200, c: [chat.example.com, chat.example.com, 'x: {y}, [z] #'] }\n");
    assert_eq!(canonical(&given.unwrap()), canonical(&plain.unwrap()));
    // What stands for these signs may be in the text itself.
    let node = read("a: \u{e000}\nb: ${CHATS}\n").unwrap();
    assert_eq!(node.find("a").unwrap().as_written(), Some("\u{e000}"));
    assert_eq!(node.find("b").unwrap().as_written(), Some("200"));
}

#[test]
fn a_value_has_the_type_of_its_place() {
    let problems = Problems::default();
    for yaml in ["${CHATS}", "'${CHATS}'", "${NONE:-200}"] {
        let node = read(&format!("a: {yaml}")).unwrap();
        let node = node.find("a").unwrap();
        assert_eq!(node.whole_number(0, &problems), Some(200), "{yaml}");
        assert_eq!(node.as_written(), Some("200"));
    }
    let node = read("a: ${FLAG}\nb: '${FLAG}'\nc: ${TENANT}\nd: ${WORD}\ne: ${EMPTY}\n").unwrap();
    let at = |key: &str| node.find(key).unwrap();
    assert_eq!(at("a").boolean(&problems), Some(true));
    assert_eq!(at("b").boolean(&problems), Some(true));
    assert_eq!(at("c").as_written(), Some("007"));
    assert_eq!(at("c").text("a name", &problems), Some("007"));
    // Nothing of the environment is ever the absence of a value.
    assert_eq!(at("d").value, Value::Text("null".to_owned()));
    assert_eq!(at("e").value, Value::Text(String::new()));
    assert_eq!(problems.into_result(), Ok(()));
}

#[test]
fn what_cannot_be_put_in_is_a_problem_at_its_place() {
    let read = |text: &str| read(text).unwrap_err();
    assert_eq!(
        read("a: x${NONE}\nb: { c: 'y ${NONE}' }\n"),
        [
            "c.yaml:1:5: the environment variable `NONE` is not set; set it before starting chatprobe, or give it \
             a default: `${NONE:-default}`",
            "c.yaml:2:12: the environment variable `NONE` is not set; set it before starting chatprobe, or give it \
             a default: `${NONE:-default}`",
        ]
    );
    for reference in ["${}", "${HOST-x}", "${1A}", "${HOST:?x}", "${A B}"] {
        assert_eq!(
            read(&format!("a: {reference}")),
            [format!(
                "c.yaml:1:4: `{reference}` is not understood; write `${{NAME}}` or `${{NAME:-default}}`, or `$$` for a \
                 dollar"
            )]
        );
    }
    assert_eq!(
        read("a: 'x ${HOST'"),
        ["c.yaml:1:7: this `${` is never closed; write `${NAME}`, or `$$` for a dollar"]
    );
    let deep = format!("a: \"{}x{}\"", "${NONE:-".repeat(20), "}".repeat(20));
    assert!(read(&deep)[0].contains("more than 8 defaults inside of each other"));
    let many = format!("a: [{}]", "${LARGE}, ".repeat(50));
    let problems = Problems::default();
    let large = |_: &str| Ok("x".repeat(100_000));
    parse_configuration("c.yaml", &many, &large, &problems).unwrap();
    let list = problems.into_result().unwrap_err();
    assert!(
        list[0]
            .message
            .contains("more than 4194304 bytes of the environment")
    );
}

#[test]
fn secrets_are_not_put_into_the_configuration() {
    for (yaml, says) in [
        (
            "targets: { t: { secrets: { a: '${HOST}' } } }",
            "c.yaml:1:32: nothing of the environment is put in here, so that no secret gets into the configuration; \
             write `{ env: NAME }` or `{ file: PATH }`",
        ),
        (
            "targets: { t: { secrets: { a: { file: ${HOST} } } } }",
            "c.yaml:1:39: nothing of the environment is put in here, so that no secret gets into the configuration; \
             write `{ env: NAME }` or `{ file: PATH }`",
        ),
        (
            "targets: { t: { variables: { api_key: ${HOST} } } }",
            "c.yaml:1:39: `api_key` is the name of a secret, which is not put into the configuration; write \
             `api_key: { env: HOST }` under `secrets` of the target, and `target.api_key` in the scenario",
        ),
        (
            "probes: { p: { inputs: { x: 'a ${API_TOKEN:-b}' } } }",
            "c.yaml:1:32: `API_TOKEN` is the name of a secret, which is not put into the configuration; write \
             `x: { env: API_TOKEN }` under `secrets` of the target, and `target.x` in the scenario",
        ),
        (
            "push: { token: { env: '${HOST}' } }",
            "c.yaml:1:24: nothing of the environment is put in here, so that no secret gets into the configuration; \
             write `{ env: NAME }` or `{ file: PATH }`",
        ),
        (
            "push: { headers: { x: '${API_TOKEN}' } }",
            "c.yaml:1:24: `API_TOKEN` is the name of a secret, which is not put into the configuration; write \
             `{ env: API_TOKEN }`",
        ),
        (
            "targets: { t: { url: 'https://${API_TOKEN}@x' } }",
            "c.yaml:1:31: `API_TOKEN` is the name of a secret, which is not put into the configuration; write \
             `name: { env: API_TOKEN }` under `secrets` of the target, and `target.name` in the scenario",
        ),
    ] {
        let problems = read(yaml).unwrap_err();
        assert_eq!(problems, [says], "{yaml}");
        assert!(!problems[0].contains("s3cret"));
    }
    for name in [
        "AUTH_SERVER",
        "TOKEN_ISSUER",
        "COOKIE_DOMAIN",
        "PARTITION_KEY",
        "SECRET_FILE",
    ] {
        assert!(!holds_secret(name), "{name}");
    }
    for name in ["TOKEN", "DB_PASSWORD", "API_KEY", "client_secret"] {
        assert!(holds_secret(name), "{name}");
    }
    // Where a secret is, is no secret.
    let node = read("admin: { token_file: '${TOKEN_FILE}' }").unwrap();
    let file = node.find("admin").unwrap().find("token_file").unwrap();
    assert_eq!(file.as_written(), Some("/run/token"));
    // A dollar in the path of a secret stays what it is.
    let node = read("targets: { t: { secrets: { a: { file: a$$b } } } }").unwrap();
    assert!(canonical(&node).contains("a$$b"));
}

#[test]
fn extensions_are_left_out_unless_they_are_used() {
    let node =
        read("x-a: &a { b: ${NONE}, c: 1 }\nx-d: &d { e: ${CHATS} }\nf: { <<: *d }\n").unwrap();
    assert_eq!(canonical(&node), canonical(&read("f: { e: 200 }").unwrap()));
    let problems = read("x-a: &a { b: ${NONE} }\nc: *a\nd: { <<: *a }\n").unwrap_err();
    assert_eq!(
        problems.len(),
        1,
        "the same place is told once: {problems:?}"
    );
    assert!(problems[0].starts_with("c.yaml:1:14: "));
}
