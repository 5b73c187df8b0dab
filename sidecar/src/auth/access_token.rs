//! Access tokens from a Secret, sent as password.

use bytes::Bytes;
use endpoint::contract::mounts::ACCESS_TOKEN_KEY;

use super::{AuthError, CREDENTIAL_SIZE_MAX};
use crate::watch::Folder;

/// The token in the folder `credentials`: the key `token`, or the only key; `None` while there is no key.
///
/// # Errors
/// The keys are ambiguous, or the token is empty or too long.
pub(crate) fn password(folder: &Folder) -> Result<Option<Bytes>, AuthError> {
    let files = match folder {
        Folder::NotMounted => return Ok(None),
        Folder::Unreadable(text) => return Err(AuthError::Unreadable(text.clone())),
        Folder::Files(files) => files,
    };
    let mut names = files.keys();
    let name = match (
        files.contains_key(ACCESS_TOKEN_KEY),
        names.next(),
        names.next(),
    ) {
        (true, ..) => ACCESS_TOKEN_KEY,
        (false, Some(only), None) => only,
        (false, None, _) => return Ok(None),
        (false, Some(_), Some(_)) => {
            let keys: Vec<&str> = files.keys().map(String::as_str).collect();
            return Err(AuthError::ManyKeys(keys.join(", ")));
        }
    };
    let content = &files[name];
    // Secrets made from a file end with its line break, which is no part of the token.
    let token = content.trim_ascii();
    if token.is_empty() {
        return Err(AuthError::Empty(format!("the access token (key {name})")));
    }
    if token.len() > CREDENTIAL_SIZE_MAX {
        return Err(AuthError::TooLong(format!("the access token (key {name})")));
    }
    Ok(Some(content.slice_ref(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Folder {
        let files = files.iter().map(|(name, content)| {
            (
                (*name).to_owned(),
                Bytes::copy_from_slice(content.as_bytes()),
            )
        });
        Folder::Files(files.collect())
    }

    #[test]
    fn key_named_token_wins_and_an_only_key_will_do() {
        let named = password(&folder(&[("other", "x"), ("token", "secret\n")]));
        assert_eq!(named, Ok(Some(Bytes::from("secret"))));
        let only = password(&folder(&[("password", " secret ")]));
        assert_eq!(only, Ok(Some(Bytes::from("secret"))));
    }

    #[test]
    fn several_keys_without_token_are_refused_by_name() {
        let error = password(&folder(&[("a", "1"), ("b", "2")])).unwrap_err();
        assert_eq!(error, AuthError::ManyKeys("a, b".into()));
    }

    #[test]
    fn empty_token_is_never_sent() {
        assert!(matches!(
            password(&folder(&[("token", "\n")])),
            Err(AuthError::Empty(_))
        ));
    }

    #[test]
    fn folder_without_keys_is_a_token_that_has_not_come() {
        assert_eq!(password(&folder(&[])), Ok(None));
        assert_eq!(password(&Folder::NotMounted), Ok(None));
    }
}
