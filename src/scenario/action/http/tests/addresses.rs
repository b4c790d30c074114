//! Which servers the address of a request may lead to.

use super::*;

/// The address that is asked if the scenario says `get: ADDRESS`.
fn address(written: &str, captured: &str) -> Result<String, String> {
    let target = [
        ("url", "http://h"),
        ("host", "chat.example"),
        ("auth", "https://auth.example/base"),
    ];
    let mut origins = Origins::default();
    for address in [
        "http://h",
        "https://auth.example/base",
        "https://also.example",
    ] {
        origins.add_address(address);
    }
    let run = RunScope {
        target: minijinja::Value::from_pairs(target),
        inputs: minijinja::Value::from_pairs([("path", captured)]),
        origins: Arc::new(origins),
        ..RunScope::default()
    };
    let mut scope = Scope::of_run(Arc::new(run));
    scope.capture(&"next".into(), captured.into());
    let request = action(&format!("{{ get: \"{written}\" }}"));
    let rendered = request.render(&Arc::new(scope), Duration::from_secs(1));
    rendered
        .map(|request| request.url)
        .map_err(|error| error.to_string())
}

#[test]
fn inputs_and_captures_choose_paths_and_allowed_servers() {
    for (written, captured, asked) in [
        ("{{ target.url }}{{ next }}", "/a?b", "http://h/a?b"),
        ("{{ target.url }}/{{ next }}", "@evil", "http://h/@evil"),
        ("{{ next }}", "http://h/page/2", "http://h/page/2"),
        (
            "{{ next }}",
            "https://auth.example/x",
            "https://auth.example/x",
        ),
        (
            "{{ next }}",
            "https://also.example/x",
            "https://also.example/x",
        ),
        (
            "https://{{ target.host }}/{{ next }}",
            "x",
            "https://chat.example/x",
        ),
        (
            "https://{{ target.host }}:8443{{ next }}",
            "/x",
            "https://chat.example:8443/x",
        ),
        ("{{ target.url ~ '/a' }}{{ next }}", "@b", "http://h/a@b"),
        (
            "{% if next %}{{ target.auth }}{% endif %}/x",
            "y",
            "https://auth.example/base/x",
        ),
        (
            "{% if target.host %}http://any.example/{% endif %}",
            "y",
            "http://any.example/",
        ),
    ] {
        assert_eq!(
            address(written, captured).as_deref(),
            Ok(asked),
            "{written}"
        );
    }
    for (written, captured) in [
        ("{{ target.url }}{{ inputs.path }}", "@127.0.0.1:27993/"),
        ("{{ target.url }}{{ next }}", ".evil.example/"),
        ("{{ target.url ~ next }}", "1/"),
        ("{{ next }}", "https://evil.example/"),
        ("{{ inputs.path }}", "http://h:8081/"),
        ("https://{{ next }}.example.com/", "tenant"),
        (
            "{% if next %}http://{{ next }}{% endif %}/x",
            "evil.example",
        ),
    ] {
        let refused = address(written, captured).unwrap_err();
        assert!(refused.starts_with("a.yaml:1:8: the address "), "{refused}");
    }
}

#[test]
fn servers_in_the_text_of_a_scenario_are_allowed() {
    let mut names = Names::open();
    for text in [
        "{ get: 'https://one.example/a/{{ x }}' }",
        "{ get: 'https://two.example' }",
        "{ get: 'https://three.example{{ x }}' }",
        "{ get: 'https://{{ x }}.four.example/' }",
        "{ get: 'HTTPS://Five.example/{{ x }}' }",
        "{ get: 'https://six.example/{% if x %}a{% else %}b{% endif %}' }",
        r#"{ get: "{{ 'https://seven.example' if x else 'http://eight.example:81/b' }}/x" }"#,
        "{ get: '{% if x %}https://nine.example{% else %}https://ten.example{%- endif %}/x' }",
        "{ get: '{% if x %}https://eleven{{ x }}{% endif %}/x' }",
        "{ get: 'https://bücher.example/{{- x }}' }",
    ] {
        let node = parse("a.yaml", text).unwrap();
        HttpAction::read_request(&node, &mut names, &Problems::default()).unwrap();
    }
    let expected: Origins = [
        "https://one.example",
        "https://two.example",
        "https://five.example",
        "https://six.example",
        "https://seven.example",
        "http://eight.example:81",
        "https://nine.example",
        "https://ten.example",
        "https://xn--bcher-kva.example",
    ]
    .iter()
    .map(|address| crate::driver::Origin::read(address).unwrap())
    .collect();
    assert_eq!(names.take_origins(), expected);
}

#[test]
fn a_statement_behind_the_server_leaves_it_to_the_scenario() {
    for (written, captured, asked) in [
        (
            "https://any.example/{% if next %}a{% else %}b{% endif %}",
            "x",
            "https://any.example/a",
        ),
        (
            "https://any.example/{{- next }}",
            "x",
            "https://any.example/x",
        ),
        (
            "http://{{ target.host }}/x{% if next %}?q={{ next }}{% endif %}",
            "@evil.example",
            "http://chat.example/x?q=@evil.example",
        ),
        (
            "http://{{ target.host }}{%- if next %}/{{ next }}{% endif %}",
            "x",
            "http://chat.example/x",
        ),
    ] {
        assert_eq!(
            address(written, captured).as_deref(),
            Ok(asked),
            "{written}"
        );
    }
    for (written, captured) in [
        ("https://any.example{{- next }}", ".evil.example/"),
        (
            "https://any{% if next %}{{ next }}{% endif %}/",
            ".evil.example",
        ),
        (
            "{{ next -}} /x{% if next %}{% endif %}",
            "https://evil.example",
        ),
        (
            "{% if next %}{{ next }}{% endif %}https://any.example/",
            "https://evil.example/",
        ),
    ] {
        let refused = address(written, captured).unwrap_err();
        assert!(refused.starts_with("a.yaml:1:8: the address "), "{refused}");
    }
}

#[test]
fn the_server_of_an_address_is_known_by_its_own_beginning() {
    for (written, server) in [
        (
            "https://{{ target.host }}/items/{{ next }}",
            Some("https://chat.example"),
        ),
        (
            "https://{{ target.host }}:8443?x={{ next }}",
            Some("https://chat.example:8443"),
        ),
        ("http://{{ target.host }}", Some("http://chat.example")),
        (
            "http://{{ target.host }}/{% if next %}a{% endif %}",
            Some("http://chat.example"),
        ),
        (
            "https://bücher.example/{{ next }}",
            Some("https://xn--bcher-kva.example"),
        ),
        ("http://{{ target.host }}{{ next }}", None),
        ("http://{{ target.host }}{% if next %}.x{% endif %}/", None),
        ("{{ next }}", None),
    ] {
        let run = RunScope {
            target: minijinja::Value::from_pairs([("host", "chat.example")]),
            ..RunScope::default()
        };
        let mut origins = Origins::default();
        let request = action(&format!("{{ get: \"{written}\" }}"));
        request.add_origin(&Arc::new(Scope::of_run(Arc::new(run))), &mut origins);
        let expected = server.map(|server| crate::driver::Origin::read(server).unwrap());
        assert_eq!(origins, expected.into_iter().collect(), "{written}");
    }
}
