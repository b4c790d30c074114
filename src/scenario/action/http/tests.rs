mod addresses;

use super::{reading::METHODS, *};
use crate::{document::parse, scenario::RunScope};

fn action(yaml: &str) -> HttpAction {
    let problems = Problems::default();
    let node = parse("a.yaml", yaml).unwrap();
    let action = HttpAction::read_request(&node, &mut Names::open(), &problems);
    action.unwrap_or_else(|| panic!("{yaml}: {problems:?}"))
}

fn scope() -> Arc<Scope> {
    let target = minijinja::Value::from_pairs([("url", "http://h"), ("key", "k")]);
    let inputs = serde_json::from_value::<minijinja::Value>(serde_json::json!({
        "count": 2, "share": 0.5, "loud": true, "list": [1, "b"], "text": "a&b",
    }))
    .unwrap();
    let run = RunScope {
        target,
        inputs,
        ..RunScope::default()
    };
    Arc::new(Scope::of_run(Arc::new(run)).of_chat(3, "run-3"))
}

fn rendered(yaml: &str) -> Result<HttpRequest, String> {
    action(yaml)
        .render(&scope(), Duration::from_secs(1))
        .map_err(|error| error.to_string())
}

fn json(yaml: &str) -> serde_json::Value {
    let request = format!("{{ post: 'http://h', json: {yaml} }}");
    let request = rendered(&request).unwrap();
    let Some(HttpBody::Json(text)) = &request.body else {
        panic!("no JSON");
    };
    serde_json::from_slice(text).unwrap()
}

#[test]
fn a_method_is_the_key_of_its_address_or_named() {
    for method in METHODS {
        let request = rendered(&format!("{{ {method}: '{{{{ target.url }}}}/a' }}")).unwrap();
        assert_eq!(request.method.as_str(), method.to_ascii_uppercase());
        assert_eq!(request.url, "http://h/a");
        assert!(request.body.is_none());
    }
    let request = rendered("{ method: purge, url: 'HTTP://h/' }").unwrap();
    assert_eq!(request.method.as_str(), "PURGE");
}

#[test]
fn headers_and_query_are_rendered_in_their_order() {
    let request = rendered(
        "{ get: 'http://h/{{ chat.number }}', headers: { x-b: '{{ target.key }}', x-a: 7 }, \
           query: { b: '{{ inputs.text }}', a: true } }",
    )
    .unwrap();
    assert_eq!(request.url, "http://h/3");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(request.headers, [pair("x-b", "k"), pair("x-a", "7")]);
    assert_eq!(request.query, [pair("b", "a&b"), pair("a", "true")]);
    assert_eq!(request.timeout, Duration::from_secs(1));
}

#[test]
fn json_keeps_types_at_any_depth() {
    assert_eq!(
        json(
            "{ a: 1, b: 1.5, c: true, d: ~, e: '1', f: [x, { g: 'Customer {{ chat.number }}' }] }"
        ),
        serde_json::json!({
            "a": 1, "b": 1.5, "c": true, "d": null, "e": "1", "f": ["x", { "g": "Customer 3" }],
        })
    );
    assert_eq!(
        json(
            "['{{ inputs.count }}', '{{ inputs.count }} ', '{{ inputs.share }}', '{{ inputs.loud }}', \
              '{{ inputs.list }}', '{{ none }}', '{{ inputs.count | string }}', \
              '{% if inputs.loud %}1{% endif %}']"
        ),
        serde_json::json!([2, "2 ", 0.5, true, [1, "b"], null, "2", "1"])
    );
    assert_eq!(
        json("'{{ chat }}'"),
        serde_json::json!({ "id": "run-3", "number": 3 })
    );
    assert_eq!(
        json("{ '{{ key }}': 1 }"),
        serde_json::json!({ "{{ key }}": 1 })
    );
}

#[test]
fn a_body_of_text_is_sent_as_it_is() {
    let request = rendered("{ post: 'http://h', body: 'a={{ inputs.text }}' }").unwrap();
    assert!(matches!(request.body, Some(HttpBody::Text(text)) if text == "a=a&b"));
}

#[test]
fn what_is_undefined_is_an_error_wherever_it_is_sent() {
    for yaml in [
        "{ get: '{{ target.url }}/{{ gone }}' }",
        "{ get: 'http://h', headers: { a: '{{ gone }}' } }",
        "{ get: 'http://h', query: { a: 'x{{ gone }}' } }",
        "{ post: 'http://h', json: { a: ['{{ gone }}'] } }",
        "{ post: 'http://h', body: '{{ gone }}' }",
    ] {
        let error = rendered(yaml).err().unwrap();
        assert!(error.ends_with("`gone` is undefined"), "{error}");
    }
    let error = rendered("{ post: 'http://h', json: '{{ gone.deeper }}' }").err();
    assert_eq!(
        error.unwrap(),
        "a.yaml:1:30: `gone.deeper`: `gone` is undefined"
    );
    let error = rendered("{ post: 'http://h', body: '{% if 1 %}{{ gone }}{% endif %}' }").err();
    assert_eq!(error.unwrap(), "a.yaml:1:27: `gone` is undefined");
}

#[test]
fn a_form_is_encoded_with_its_fields_in_their_order() {
    let request = rendered(
        "{ post: 'http://h', form: { z: '{{ inputs.text }}', scope: [a b, '{{ chat.number }}'], empty: '' } }",
    )
    .unwrap();
    let Some(HttpBody::Form(text)) = &request.body else {
        panic!("no form");
    };
    assert_eq!(text, "z=a%26b&scope=a+b&scope=3&empty=");
}

#[test]
fn headers_can_sign_the_request_as_it_is_sent() {
    let request = rendered(
        "{ post: 'http://H:80/a b?x=1', query: { b: 'c d' }, json: { n: '{{ chat.number }}' }, \
           headers: { m: '{{ request.method }}', u: '{{ request.url }}', p: '{{ request.path }}', \
                      q: '{{ request.query }}', s: '{{ request.body | hmac_sha256(target.key) }}' } }",
    )
    .unwrap();
    let values: Vec<_> = request
        .headers
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(
        values,
        [
            "POST",
            "http://h/a%20b?x=1&b=c+d",
            "/a%20b",
            "x=1&b=c+d",
            // printf '{"n":3}' | openssl dgst -sha256 -hmac k
            "cd40d0d93d2684c36b6eb9674532e556ef4ad48a6d7c1b535299ad90237a69b9",
        ]
    );
}

#[test]
fn the_request_is_known_to_its_headers_only() {
    let problems = Problems::default();
    let node = parse(
        "s.yaml",
        "{ post: 'http://h/{{ request.method }}', headers: { a: '{{ request.bdy }}' } }",
    )
    .unwrap();
    let nothing = parse("", "").unwrap();
    HttpAction::read_request(&node, &mut Names::new(false, &nothing, &[], []), &problems);
    let problems = problems.into_result().unwrap_err();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter()
            .any(|said| said.contains("there is no `request.bdy`"))
    );
    assert!(
        said.iter()
            .any(|said| said.contains("undefined variable `request`"))
    );
}

#[test]
fn only_a_request_that_follows_redirects_knows_where_they_may_lead() {
    let request = rendered("{ get: 'http://h/' }").unwrap();
    assert!(request.redirects.is_none());
    let limits = AnswerLimits {
        body: None,
        redirects: 2,
    };
    let following = action("{ get: 'http://h/' }").with(limits);
    let request = following.render(&scope(), Duration::from_secs(1)).unwrap();
    assert_eq!(request.redirects.unwrap().most, 2);
}
