//! What expressions find in XML, whatever the order of attributes and the prefixes of names. Nothing is expanded but
//! characters: a document type is not looked at.

use minijinja::Value;
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::QName,
};

use super::builtin::{Builtin, builtin};

/// Filters.
pub(super) const FILTERS: &[Builtin] = &[
    builtin!("xml_attr", Items, xml_attr),
    builtin!("xml_text", Items, xml_text),
];

/// An attribute of the first element, or of the first with a name.
fn xml_attr(xml: &str, attribute: &str, element: Option<&str>) -> Value {
    let mut reader = Reader::from_str(xml);
    let found = find(&mut reader, element);
    let value = found.and_then(|found| value_of(found.start(), attribute));
    value.map_or(Value::UNDEFINED, Value::from)
}

/// The text in the first element with a name, and in those inside of it.
fn xml_text(xml: &str, element: &str) -> Value {
    let mut reader = Reader::from_str(xml);
    let text = match find(&mut reader, Some(element)) {
        Some(Found::Empty(_)) => Some(String::new()),
        Some(Found::Open(_)) => text_until_end(&mut reader),
        None => None,
    };
    text.map_or(Value::UNDEFINED, Value::from)
}

/// An element that was looked for.
enum Found<'a> {
    Open(BytesStart<'a>),
    Empty(BytesStart<'a>),
}

impl<'a> Found<'a> {
    fn start(&self) -> &BytesStart<'a> {
        let (Self::Open(start) | Self::Empty(start)) = self;
        start
    }
}

/// The first element with a name, or the first. `None` also if it is no XML up to there.
fn find<'a>(reader: &mut Reader<&'a [u8]>, name: Option<&str>) -> Option<Found<'a>> {
    let is_wanted = |start: &BytesStart<'_>| name.is_none_or(|name| is_named(start.name(), name));
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if is_wanted(&start) => return Some(Found::Open(start)),
            Event::Empty(start) if is_wanted(&start) => return Some(Found::Empty(start)),
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Whether a name is this one; without a prefix in it, whatever prefix the name has.
fn is_named(name: QName<'_>, wanted: &str) -> bool {
    if wanted.contains(':') {
        name.as_ref() == wanted.as_bytes()
    } else {
        name.local_name().as_ref() == wanted.as_bytes()
    }
}

fn value_of(start: &BytesStart<'_>, attribute: &str) -> Option<String> {
    // To look for repeated ones takes the square of their number.
    let mut attributes = start.attributes();
    let attributes = attributes.with_checks(false);
    let found = attributes.find_map(|found| {
        let found = found.ok()?;
        is_named(found.key, attribute).then_some(found)
    })?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// The text up to the end of the element that was read last.
fn text_until_end(reader: &mut Reader<&[u8]>) -> Option<String> {
    let mut text = String::new();
    let mut depth = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) => depth += 1,
            Event::End(_) => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Some(text),
            },
            Event::Text(part) => text.push_str(&part.xml10_content().ok()?),
            Event::CData(part) => text.push_str(&part.decode().ok()?),
            Event::GeneralRef(reference) => {
                if let Some(character) = reference.resolve_char_ref().ok()? {
                    text.push(character);
                } else {
                    let name = reference.decode().ok()?;
                    text.push_str(resolve_predefined_entity(&name)?);
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: &str = "<iq type='result' id='b1' to=\"a@h\" xmlns='jabber:client'>\
        <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@h/<b>r</b>&amp;&#x31;</jid><x:e xmlns:x='u'/></bind></iq>";

    #[test]
    fn attributes_are_found_in_whatever_order_and_quotes() {
        let other = "<?xml version='1.0'?><c:iq to='x' c:id=\"b&quot;1\"/>";
        let attr = |xml: &str, name: &str| xml_attr(xml, name, None);
        assert_eq!(attr(BOUND, "id").as_str(), Some("b1"));
        assert_eq!(attr(BOUND, "type").as_str(), Some("result"));
        assert_eq!(attr(other, "id").as_str(), Some("b\"1"));
        assert_eq!(attr(other, "c:id").as_str(), Some("b\"1"));
        assert_eq!(xml_attr(BOUND, "xmlns:x", Some("e")).as_str(), Some("u"));
        assert!(attr(other, "x:id").is_undefined());
        assert!(xml_attr(BOUND, "id", Some("bind")).is_undefined());
        for xml in [
            "",
            "text",
            "<iq id='1",
            "{}",
            "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        ] {
            assert!(attr(xml, "id").is_undefined(), "{xml}");
        }
        assert!(attr("<a b='&c;'/>", "b").is_undefined());
    }

    #[test]
    fn the_text_of_an_element_has_that_of_those_inside() {
        assert_eq!(xml_text(BOUND, "jid").as_str(), Some("a@h/r&1"));
        assert_eq!(xml_text(BOUND, "e").as_str(), Some(""));
        assert_eq!(
            xml_text("<a><![CDATA[<b>]]></a>", "a").as_str(),
            Some("<b>")
        );
        for (xml, element) in [
            (BOUND, "resource"),
            ("<a>b", "a"),
            ("<a>b</c>", "a"),
            ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "a"),
            ("no xml", "a"),
        ] {
            assert!(xml_text(xml, element).is_undefined(), "{xml}");
        }
    }

    /// A document that takes the square of its length, or a stack, would not end here.
    #[test]
    fn hostile_xml_takes_no_longer_than_its_length() {
        let deep = format!("{}x", "<a>".repeat(300_000));
        assert!(xml_text(&deep, "a").is_undefined());
        let wide = format!("<a {} last='1'/>", "b='c' ".repeat(200_000));
        assert_eq!(xml_attr(&wide, "last", None).as_str(), Some("1"));
    }
}
