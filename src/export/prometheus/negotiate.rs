//! Which form of the text does a client want?

use super::Format;

/// The form with the higher quality in an `Accept` header; the classic text on a tie that does not name OpenMetrics first.
///
/// OpenMetrics is given only to those who name it: a wildcard means the classic text.
pub(super) fn preferred(accept: &str) -> Format {
    let mut best = (0.0, Format::Text);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/openmetrics-text" => Format::OpenMetrics,
            "text/plain" | "text/*" | "*/*" => Format::Text,
            _ => continue,
        };
        let mut quality = 1.0;
        let mut known = true;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                // Version 0.0.1 of OpenMetrics differs from 1.0.0 in nothing that is used here, but is not what we write.
                "version" if format == Format::OpenMetrics => known = value.trim_matches([' ', '"']) == "1.0.0",
                _ => {}
            }
        }
        if known && quality > best.0 {
            best = (quality, format);
        }
    }
    best.1
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_they_ask_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(preferred(prometheus), Format::OpenMetrics);
        assert_eq!(preferred("application/openmetrics-text; version=1.0.0; q=0.2, text/plain; q=0.9"), Format::Text);
        assert_eq!(preferred("application/openmetrics-text"), Format::OpenMetrics);
        for classic in
            ["", "*/*", "text/plain", "text/html,application/xml;q=0.9,*/*;q=0.8", "application/json", "q=,;,"]
        {
            assert_eq!(preferred(classic), Format::Text, "{classic:?}");
        }
        assert_eq!(preferred("application/openmetrics-text;version=0.0.1"), Format::Text);
        assert_eq!(preferred("application/openmetrics-text;q=nonsense"), Format::Text);
        assert_eq!(preferred("application/openmetrics-text;q=0"), Format::Text);
    }
}
