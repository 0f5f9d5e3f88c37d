//! What somebody typed into a form, and what was wrong with it, beside each field.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use switchback_core::text::BadText;
use switchback_core::{DisplayName, Handle, Password};

use super::{error, sentence};
use crate::limits;
use crate::ops::Refusal;

/// What was wrong, by field; `""` is the form as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FormErrors(Vec<(&'static str, String)>);

impl FormErrors {
    /// What was wrong with this field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, error)| error.as_str())
    }

    /// Takes a field's value, or notes what is wrong with it.
    pub(super) fn take<T>(&mut self, field: &'static str, value: Result<T, BadText>) -> Option<T> {
        value.map_err(|bad| self.0.push((field, complaint(&bad)))).ok()
    }

    /// A refusal, beside its field if the form has it.
    pub(super) fn from_refusal(refusal: &Refusal, fields: &[&'static str]) -> Self {
        let field = refusal.0.field.as_deref();
        let field = fields.iter().copied().find(|name| field == Some(name)).unwrap_or_default();
        Self(vec![(field, sentence(&refusal.0.detail))])
    }
}

/// The fields of a new account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccountForm {
    pub(super) name: String,
    pub(super) handle: String,
    pub(super) password: String,
}

/// The same, once they are valid.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: DisplayName,
    pub(super) handle: Handle,
    pub(super) password: Password,
}

impl AccountForm {
    /// Checks all fields, so that all complaints are shown at once.
    pub(super) fn check(&self, errors: &mut FormErrors) -> Option<Account> {
        let name = errors.take("name", DisplayName::new(&self.name));
        let handle = errors.take("handle", Handle::new(self.handle.trim().trim_start_matches('@')));
        let password = errors.take("password", Password::new(&self.password));
        Some(Account { name: name?, handle: handle?, password: password? })
    }
}

/// The form, or a page that says why it cannot be read.
pub(super) fn decode<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Box<Response>> {
    form.map(|Form(form)| form).map_err(|rejection| {
        let status = rejection.status();
        let detail = match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                format!("What was sent is too long: at most {} bytes.", limits::FORM_BYTES)
            }
            _ => "What was sent is not one of our forms. Go back, load the page again and try once more."
                .to_owned(),
        };
        Box::new(error(status, "This form could not be read", &detail))
    })
}

fn complaint(bad: &BadText) -> String {
    match bad {
        BadText::Empty => "Please fill this in.".to_owned(),
        BadText::TooLong { .. } => sentence(&format!("this {bad}")),
        BadText::TooShort(least) => format!("Please use at least {least} characters."),
        BadText::Malformed(rule) => sentence(rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_complaints_are_shown_at_once() {
        let form = AccountForm {
            name: String::new(),
            handle: "Ada Lovelace".to_owned(),
            password: "short".to_owned(),
        };
        let mut errors = FormErrors::default();
        assert!(form.check(&mut errors).is_none());
        assert_eq!(errors.of("name"), Some("Please fill this in."));
        assert!(errors.of("handle").is_some_and(|error| error.starts_with("May hold letters")));
        assert_eq!(errors.of("password"), Some("Please use at least 8 characters."));
        assert_eq!(errors.of(""), None);
    }

    #[test]
    fn a_handle_may_be_typed_with_its_sign() {
        let form = AccountForm {
            name: "Ada".to_owned(),
            handle: " @Ada".to_owned(),
            password: "correct horse".to_owned(),
        };
        let account = form.check(&mut FormErrors::default());
        assert!(account.is_some_and(|account| account.handle.as_str() == "ada"));
    }

    #[test]
    fn a_refusal_stands_beside_its_field_or_above_the_form() {
        let refusal = Refusal::field("handle", "somebody else has this handle");
        let errors = FormErrors::from_refusal(&refusal, &["handle"]);
        assert_eq!(errors.of("handle"), Some("Somebody else has this handle."));
        let errors = FormErrors::from_refusal(&refusal, &["name"]);
        assert!(errors.of("").is_some());
    }
}
