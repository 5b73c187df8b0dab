//! Projected service account tokens: when a file is a whole token, and what a token says of itself.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use endpoint::contract::mounts::TOKEN_VOLUME_PATH;
use serde_json::Value;

use super::{AuthError, CREDENTIAL_SIZE_MAX};
use crate::watch::Folder;

/// A whole token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// As it is sent, without surrounding white space.
    pub(crate) data: Bytes,
    /// The claim `exp`, seconds since 1970; `None` where the token does not say it.
    pub(crate) expiry_timestamp_seconds: Option<u64>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(exp {:?})", self.expiry_timestamp_seconds)
    }
}

/// The token in its folder; `None` while the file has not come yet.
///
/// That the file was the same 200 ms apart is the watcher's part.
///
/// # Errors
/// The file is not one whole token.
pub(crate) fn token(folder: &Folder) -> Result<Option<Token>, AuthError> {
    if let Folder::Unreadable(text) = folder {
        return Err(AuthError::Unreadable(text.clone()));
    }
    folder.file(TOKEN_VOLUME_PATH).map(parse).transpose()
}

fn parse(content: &Bytes) -> Result<Token, AuthError> {
    let data = content.trim_ascii();
    if data.is_empty() {
        return Err(AuthError::Empty("the service account token".into()));
    }
    if data.len() > CREDENTIAL_SIZE_MAX {
        return Err(AuthError::TooLong("the service account token".into()));
    }
    let mut parts = data.split(|byte| *byte == b'.');
    let whole = parts.clone().count() == 3 && parts.all(|part| !part.is_empty());
    if !whole {
        return Err(AuthError::NotToken("the service account token".into()));
    }
    Ok(Token {
        data: content.slice_ref(data),
        expiry_timestamp_seconds: Claims::of(data)
            .and_then(|claims| claims.expiry_timestamp_seconds),
    })
}

/// What a token says of itself. It is not verified: that is the broker's part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// `aud`, one or several.
    pub(crate) audiences: Vec<String>,
    /// `exp`, seconds since 1970.
    pub(crate) expiry_timestamp_seconds: Option<u64>,
    /// `sub`.
    pub(crate) subject: Option<String>,
    /// `iss`.
    pub(crate) issuer: Option<String>,
}

impl Claims {
    /// The claims of a token; `None` where its second part is not what RFC 7519 says.
    pub(crate) fn of(token: &[u8]) -> Option<Claims> {
        let payload = token.split(|byte| *byte == b'.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        let audiences = match claims.get("aud") {
            Some(Value::String(audience)) => vec![audience.clone()],
            Some(Value::Array(audiences)) => audiences
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        let expiry = claims.get("exp");
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Claims {
            audiences,
            expiry_timestamp_seconds: expiry.and_then(seconds),
            subject: text("sub"),
            issuer: text("iss"),
        })
    }

    /// Whose the token is, for whom and from whom; nothing of it that proves anything.
    pub(crate) fn in_words(&self) -> String {
        let word = |claim: &Option<String>| claim.clone().unwrap_or_else(|| "nobody".to_owned());
        format!(
            "token of {} for audience {}, issued by {}",
            word(&self.subject),
            self.audiences.join(", "),
            word(&self.issuer)
        )
    }
}

/// A NumericDate, which may have a fraction (RFC 7519 section 2).
fn seconds(date: &Value) -> Option<u64> {
    date.as_u64()
        .or_else(|| date.as_f64().map(|date| date as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{Mount, jwt};

    fn token_of(content: &str) -> Result<Option<Token>, AuthError> {
        let mounts = tempfile::tempdir().unwrap();
        let mount = Mount::new(mounts.path().join("token"));
        mount.write(&[("token", content)]);
        token(&Folder::read(mount.path()))
    }

    #[test]
    fn token_is_trimmed_and_says_when_it_expires() {
        let text =
            jwt(r#"{"aud":["aio-internal"],"exp":1700000000,"sub":"system:serviceaccount:a:b"}"#);
        let token = token_of(&format!(" {text}\n")).unwrap().unwrap();
        assert_eq!(token.data, text);
        assert_eq!(token.expiry_timestamp_seconds, Some(1_700_000_000));
    }

    #[test]
    fn half_written_token_is_refused() {
        for content in [
            "", " \n", "a", "a.b", "a.b.", "..", "a..c", ".b.c", "a.b.c.d",
        ] {
            let error = token_of(content).unwrap_err();
            let expected = matches!(error, AuthError::Empty(_) | AuthError::NotToken(_));
            assert!(expected, "{content:?}: {error}");
        }
    }

    #[test]
    fn token_longer_than_mqtt_carries_is_refused() {
        let content = format!("a.{}.c", "b".repeat(CREDENTIAL_SIZE_MAX));
        assert!(matches!(token_of(&content), Err(AuthError::TooLong(_))));
    }

    #[test]
    fn folder_without_the_file_is_a_token_that_has_not_come() {
        let mounts = tempfile::tempdir().unwrap();
        assert_eq!(token(&Folder::read(mounts.path())), Ok(None));
        assert_eq!(token(&Folder::NotMounted), Ok(None));
    }

    #[test]
    fn opaque_token_is_taken_without_expiry() {
        let token = token_of("a.b.c").unwrap().unwrap();
        assert_eq!(token.expiry_timestamp_seconds, None);
    }

    #[test]
    fn claims_take_one_or_many_audiences() {
        let one = Claims::of(jwt(r#"{"aud":"a","exp":1.5}"#).as_bytes()).unwrap();
        assert_eq!(
            (one.audiences, one.expiry_timestamp_seconds),
            (vec!["a".to_owned()], Some(1))
        );
        let two = Claims::of(jwt(r#"{"aud":["a","b"],"exp":2,"sub":"s"}"#).as_bytes()).unwrap();
        assert_eq!(
            (two.audiences.len(), two.subject.as_deref()),
            (2, Some("s"))
        );
    }

    #[test]
    fn debug_output_hides_the_token() {
        let token = token_of("aaaa.bbbb.cccc").unwrap().unwrap();
        assert_eq!(format!("{token:?}"), "Token(exp None)");
    }
}
