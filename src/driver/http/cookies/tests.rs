use hyper::header::HeaderValue;

use super::*;

fn keep(cookies: &mut Cookies, url: &str, set: &[&str]) {
    let mut headers = HeaderMap::new();
    for set in set {
        headers.append(SET_COOKIE, HeaderValue::from_str(set).unwrap());
    }
    cookies.keep(url, &headers);
}

fn sent(cookies: &Cookies, url: &str) -> String {
    cookies.header(url).unwrap_or_default()
}

#[test]
fn a_cookie_goes_back_where_it_may() {
    let mut cookies = Cookies::default();
    let set = [
        "host=1",
        "wide=2; Domain=example.com; Path=/",
        "deep=3; Path=/chats",
        "safe=4; Secure; HttpOnly; Path=/",
        "foreign=5; Domain=example.org",
    ];
    keep(&mut cookies, "https://www.example.com/login/form", &set);
    for (url, expected) in [
        ("https://www.example.com/", "safe=4; wide=2"),
        ("https://www.example.com/login/x", "host=1; safe=4; wide=2"),
        ("https://www.example.com/chats/7", "deep=3; safe=4; wide=2"),
        ("https://www.example.com/chatsx", "safe=4; wide=2"),
        ("http://www.example.com/", "wide=2"),
        ("https://api.example.com:8443/", "wide=2"),
        ("https://example.org/", ""),
    ] {
        assert_eq!(sent(&cookies, url), expected, "{url}");
    }
}

#[test]
fn a_cookie_is_replaced_and_ends() {
    let (mut cookies, url) = (Cookies::default(), "http://h/");
    keep(
        &mut cookies,
        url,
        &["a=1", "b=2", "c=3; Max-Age=60", "d=\"4\""],
    );
    keep(
        &mut cookies,
        url,
        &[
            "a=5",
            "b=; Max-Age=0",
            "c=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ],
    );
    assert_eq!(sent(&cookies, url), "a=5; d=\"4\"");
    let by_name: Vec<_> = cookies.by_name().into_iter().collect();
    assert_eq!(by_name, [("a", "5"), ("d", "\"4\"")]);
    assert!(!format!("{cookies:?}").contains('5'));
}

#[test]
fn a_chat_keeps_so_many_cookies_and_no_long_ones() {
    let (mut cookies, url) = (Cookies::default(), "http://h/");
    let long = format!("long={}", "x".repeat(4096));
    keep(&mut cookies, url, &[&long]);
    for number in 0..150 {
        keep(&mut cookies, url, &[&format!("c{number}=1")]);
    }
    assert_eq!(sent(&cookies, url).split("; ").count(), 100);
    keep(&mut cookies, url, &["c7=2", "c8=; Max-Age=0", "late=1"]);
    let sent = sent(&cookies, url);
    assert!(sent.contains("c7=2") && !sent.contains("c8=") && sent.contains("late=1"));
}
