//! Who may ask, and by which name.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use super::HttpOptions;

/// What a request's token lets it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Nobody,
    Reader,
    Operator,
}

pub(super) struct Access {
    reader: Option<[u8; 32]>,
    operator: Option<[u8; 32]>,
    hosts: Vec<String>,
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Access {
    pub(super) fn new(options: &HttpOptions) -> Self {
        // As what is sent, without white space around it; an empty token is none, for nobody can be asked to send it.
        let digest = |token: &Option<String>| {
            token.as_deref().map(|token| token.as_bytes().trim_ascii()).filter(|token| !token.is_empty()).map(digest)
        };
        let hosts = options.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { reader: digest(&options.token), operator: digest(&options.operator_token), hosts }
    }

    pub(super) fn has_operator(&self) -> bool {
        self.operator.is_some()
    }

    /// Digests are compared, so that the time tells nothing of the token.
    pub(super) fn role(&self, headers: &HeaderMap) -> Role {
        let value = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let token = match value.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Some(digest(token.trim_ascii())),
            _ => None,
        };
        if token.is_some() && token == self.operator {
            Role::Operator
        } else if self.reader.is_none() || token == self.reader {
            Role::Reader
        } else {
            Role::Nobody
        }
    }

    /// Whether the request names the server by an address, as `localhost` or by a configured name.
    pub(super) fn knows_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        let host = host.to_ascii_lowercase();
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => {
                return (rest.is_empty() || is_port(rest)) && address.parse::<Ipv6Addr>().is_ok();
            }
            None => match host.find(':') {
                Some(colon) if is_port(&host[colon..]) => &host[..colon],
                Some(_) => return false,
                None => &host,
            },
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.hosts.iter().any(|known| known == name)
    }
}

/// `:` and a port.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn hosts_are_addresses_localhost_or_configured() {
        let access = Access::new(&HttpOptions { hosts: vec!["Node.Example".into()], ..HttpOptions::default() });
        let knows = |host: &str| access.knows_host(&headers(header::HOST, host));
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9100", "10.0.0.7", "[::1]:9100", "[::1]", "node.example:1"]
        {
            assert!(knows(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:x",
            "[::1",
            "",
            "::1",
            "[localhost]",
            "localhost@evil",
            "localhost:99999",
        ] {
            assert!(!knows(host), "{host}");
        }
        assert!(!access.knows_host(&HeaderMap::new()));
    }

    #[test]
    fn roles_follow_the_token() {
        let role = |token: Option<&str>, operator: Option<&str>, sent: &str| {
            let options = HttpOptions {
                token: token.map(Into::into),
                operator_token: operator.map(Into::into),
                ..Default::default()
            };
            Access::new(&options).role(&headers(header::AUTHORIZATION, sent))
        };
        assert_eq!(role(None, None, ""), Role::Reader);
        assert_eq!(role(None, None, "Bearer x"), Role::Reader);
        assert_eq!(role(Some("r"), None, "Bearer r"), Role::Reader);
        assert_eq!(role(Some("r"), None, "bearer  r "), Role::Reader);
        for wrong in ["", "Bearer", "Bearer ", "Bearer R", "Basic r", "r", "Bearer rr"] {
            assert_eq!(role(Some("r"), Some("o"), wrong), Role::Nobody, "{wrong}");
        }
        assert_eq!(role(Some("r"), Some("o"), "Bearer o"), Role::Operator);
        assert_eq!(role(None, Some("o"), "Bearer o"), Role::Operator);
        assert_eq!(role(Some("r\n"), Some(" o "), "Bearer o"), Role::Operator, "as read from a file");
        assert_eq!(role(Some("r\n"), Some(" o "), "Bearer r"), Role::Reader);
        assert_eq!(role(None, Some("o"), "Bearer r"), Role::Reader);
        assert_eq!(role(None, Some(""), "Bearer "), Role::Reader, "an empty token makes nobody an operator");
    }
}
