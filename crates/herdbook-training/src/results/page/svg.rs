//! Check of pictures: only the elements and attributes that herdbook's own pictures have.
//!
//! A stored picture may have been replaced by anyone who can write to the artifacts.

/// Elements of a picture.
const ELEMENTS: [&str; 9] =
    ["svg", "rect", "text", "polyline", "polygon", "line", "circle", "path", "g"];
/// Attributes of a picture. None of them can load or run anything with the values that [`is_harmless`] permits.
const ATTRIBUTES: [&str; 31] = [
    "width",
    "height",
    "viewBox",
    "xmlns",
    "x",
    "y",
    "x1",
    "y1",
    "x2",
    "y2",
    "cx",
    "cy",
    "r",
    "d",
    "points",
    "dx",
    "dy",
    "fill",
    "stroke",
    "stroke-width",
    "stroke-opacity",
    "fill-opacity",
    "opacity",
    "text-anchor",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "transform",
    "alignment-baseline",
    "rotate",
];
/// The only address in a picture: the name of the format.
const NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// The picture, if it has nothing but shapes and texts.
pub(super) fn checked(svg: &str) -> Option<&str> {
    let svg = svg.trim();
    if !svg.starts_with("<svg ") || !svg.ends_with("</svg>") {
        return None;
    }
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let is_text_plain = !rest[..start].contains('>');
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if !is_text_plain {
            return None;
        }
        if let Some(name) = tag.strip_prefix('/') {
            // Nothing follows the end of the picture.
            let is_expected = open.pop()? == name.trim_end();
            if !is_expected || open.is_empty() != rest.is_empty() {
                return None;
            }
            continue;
        }
        let (tag, is_closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let name = known_element(tag)?;
        if !is_closed {
            open.push(name);
        }
    }
    (open.is_empty() && rest.is_empty()).then_some(svg)
}

/// The name of a tag that is an element of pictures with attributes of pictures.
fn known_element(tag: &str) -> Option<&str> {
    let (name, mut rest) = tag.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((tag, ""));
    if !ELEMENTS.contains(&name) {
        return None;
    }
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(name);
        }
        let (attribute, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        if !ATTRIBUTES.contains(&attribute) || !is_harmless(attribute, value) {
            return None;
        }
        rest = after;
    }
}

fn is_harmless(attribute: &str, value: &str) -> bool {
    match attribute {
        "xmlns" => value == NAMESPACE,
        // No `url(…)`, no address, no character reference that could spell one.
        "font-family" => value.chars().all(|c| c.is_ascii_alphanumeric() || " -,".contains(c)),
        _ => {
            value.chars().all(|c| c.is_ascii_alphanumeric() || " #.,-+()%\n".contains(c))
                && !value.to_ascii_lowercase().contains("url")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_texts_are_a_picture() {
        let svg = "<svg width=\"10\" height=\"5\" viewBox=\"0 0 10 5\" xmlns=\"http://www.w3.org/2000/svg\">\n<rect x=\"0\" \
                   y=\"0\" width=\"10\" height=\"5\" opacity=\"1\" fill=\"#FFFFFF\" stroke=\"none\"/>\n<text x=\"1\" y=\"2\">\na \
                   &lt; b\n</text>\n</svg>\n";
        assert_eq!(checked(svg), Some(svg.trim()));
    }

    #[test]
    fn anything_else_is_refused() {
        let with = |inside: &str| format!("<svg width=\"1\">{inside}</svg>");
        assert!(checked(&with("<g></g>")).is_some());
        for inside in [
            "<script>alert(1)</script>",
            "<image href=\"http://x/\"/>",
            "<rect onload=\"alert(1)\"/>",
            "<rect fill=\"url(http://x)\"/>",
            "<rect fill=\"u&#114;l(x)\"/>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<foreignObject></foreignObject>",
            "<!-- <g> -->",
            "<![CDATA[<script>]]>",
            "<rect fill='red'/>",
            "<rect fill=\"red\" fill/>",
            "</svg><svg>",
            "</svg><script>alert(1)</script><svg width=\"1\">",
            "<style>*{}</style>",
            "<g>",
            "</g>",
            "<g></rect>",
            "a > b",
        ] {
            assert_eq!(checked(&with(inside)), None, "{inside}");
        }
        assert_eq!(checked("<p></p>"), None);
        assert_eq!(checked(""), None);
    }
}
