//! Policies that differ only in their literals, made from one that is parsed once.
//!
//! What the compiler writes comes in few shapes: one parse of a shape, and the rest is put in by its
//! place. A text that holds anything unusual is parsed as it stands.
//!
//! INVARIANT: what is made is what parsing its text gives; the test of this module holds that.

use std::{collections::HashMap, sync::Arc};

use cedar_policy::pst::{
    Clause, EntityOrSlot, EntityType, EntityUID, Expr, Literal, PatternElem, PolicyID, PrincipalConstraint,
    ResourceConstraint, StaticPolicy, Template,
};

use crate::{
    diagnostic::Place,
    policy::{Needs, Policy, Shape},
};

/// The shapes so far; nothing for one that is not made.
#[derive(Debug, Default)]
pub(super) struct Press {
    molds: HashMap<String, Option<Mold>>,
}

/// What one parse of a shape gave.
#[derive(Debug)]
struct Mold {
    /// The policy with a mark for every literal.
    policy: Template,
    /// What can be said of it, with a mark for the server.
    shape: Shape,
}

impl Press {
    /// The policy of a text that the compiler wrote.
    ///
    /// # Errors
    /// What Cedar says of a text that is not one policy.
    pub(super) fn policy(
        &mut self,
        id: &str,
        text: &str,
        place: &Place,
        needs: Option<Needs>,
    ) -> Result<Policy, String> {
        let place = Some(place.clone());
        match self.made(id, text) {
            Some((cedar, shape)) => Ok(Policy::known(id, text, (cedar, shape), place, needs)),
            None => Policy::parse(id, text, place, needs),
        }
    }

    fn made(&mut self, id: &str, text: &str) -> Option<(cedar_policy::Policy, Shape)> {
        let (shape, literals) = shape(text)?;
        let mold = match self.molds.get(&shape) {
            Some(known) => known,
            None => {
                let mold = Mold::of(&shape);
                self.molds.entry(shape).or_insert(mold)
            }
        };
        mold.as_ref()?.fill(id, &literals)
    }
}

impl Mold {
    fn of(text: &str) -> Option<Self> {
        let parsed = cedar_policy::Policy::parse(None, text).ok()?;
        Some(Self { policy: parsed.to_pst().ok()?.body().clone(), shape: Shape::of(&parsed).ok()? })
    }

    fn fill(&self, id: &str, literals: &[&str]) -> Option<(cedar_policy::Policy, Shape)> {
        let pin = match &self.shape.pin {
            Some(mark) => Some(marked(mark.as_str(), literals)?.parse().ok()?),
            None => None,
        };
        let policy = Filling { literals, filled: 0 }.policy(id, &self.policy)?;
        Some((policy, Shape { pin, ..self.shape.clone() }))
    }
}

/// A text with a mark in the place of each literal, and the literals. Names of actions and of the one
/// `Anonymous` stay: what they are says what the policy is about. Nothing where a literal is escaped.
pub(super) fn shape(text: &str) -> Option<(String, Vec<&str>)> {
    let mut shape = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('"') {
        let (literal, after) = after.split_once('"')?;
        if literal.contains('\\') {
            return None;
        }
        shape.push_str(before);
        if before.ends_with("Action::") || before.ends_with("Anonymous::") {
            shape.extend(["\"", literal, "\""]);
        } else {
            shape.push_str(&format!("\"{}\"", mark(literals.len())));
            literals.push(literal);
        }
        rest = after;
    }
    shape.push_str(rest);
    Some((shape, literals))
}

/// A mark is a name that anything may have: it stands in the place of servers, tools and scopes alike.
/// No other text is left in a shape that looks like one.
fn mark(nth: usize) -> String {
    format!("m{nth}")
}

fn marked<'l>(text: &str, literals: &[&'l str]) -> Option<&'l str> {
    let nth: usize = text.strip_prefix('m')?.parse().ok()?;
    literals.get(nth).copied()
}

/// Puts the literals in the place of their marks.
///
/// INVARIANT: each is put in once, or nothing is made.
struct Filling<'l> {
    literals: &'l [&'l str],
    filled: usize,
}

impl<'l> Filling<'l> {
    fn policy(mut self, id: &str, mold: &Template) -> Option<cedar_policy::Policy> {
        let principal = match &mold.principal {
            PrincipalConstraint::Eq(EntityOrSlot::Entity(one)) => {
                PrincipalConstraint::Eq(EntityOrSlot::Entity(self.entity(one)))
            }
            other @ (PrincipalConstraint::Any | PrincipalConstraint::Is(_)) => other.clone(),
            _ => return None,
        };
        let mut clauses = Vec::new();
        for clause in mold.clauses() {
            clauses.push(match clause {
                Clause::When(body) => Clause::When(self.expression(body)?),
                Clause::Unless(body) => Clause::Unless(self.expression(body)?),
            });
        }
        let mut annotations = mold.annotations.clone();
        annotations.values_mut().for_each(|value| {
            if let Some(literal) = self.literal(value) {
                *value = literal.into();
            }
        });
        // Of a resource the compiler speaks in conditions.
        if mold.resource != ResourceConstraint::Any || self.filled != self.literals.len() {
            return None;
        }
        let body =
            Template::new(PolicyID(id.into()), mold.effect, principal, mold.action.clone(), mold.resource.clone())
                .with_annotations(annotations)
                .try_with_clauses(clauses)
                .ok()?;
        cedar_policy::Policy::from_pst(StaticPolicy::try_from(body).ok()?.into()).ok()
    }

    fn expression(&mut self, mold: &Arc<Expr>) -> Option<Arc<Expr>> {
        Some(Arc::new(match &**mold {
            Expr::Var(_) | Expr::Literal(Literal::Bool(_) | Literal::Long(_)) => return Some(Arc::clone(mold)),
            Expr::Literal(Literal::String(mark)) => Expr::Literal(Literal::String(self.literal(mark)?.into())),
            Expr::Literal(Literal::EntityUID(one)) => Expr::Literal(Literal::EntityUID(self.entity(one))),
            Expr::UnaryOp { op, expr } => Expr::UnaryOp { op: *op, expr: self.expression(expr)? },
            Expr::BinaryOp { op, left, right } => {
                Expr::BinaryOp { op: *op, left: self.expression(left)?, right: self.expression(right)? }
            }
            Expr::GetAttr { expr, attr } => Expr::GetAttr { expr: self.expression(expr)?, attr: attr.clone() },
            Expr::HasAttr { expr, attrs } => Expr::HasAttr { expr: self.expression(expr)?, attrs: attrs.clone() },
            Expr::Like { expr, pattern } => {
                Expr::Like { expr: self.expression(expr)?, pattern: self.pattern(pattern)? }
            }
            Expr::Set(members) => {
                Expr::Set(members.iter().map(|member| self.expression(member)).collect::<Option<_>>()?)
            }
            // The compiler writes nothing else.
            _ => return None,
        }))
    }

    /// One of the few that are no mark (`Anonymous::"anonymous"`) stays as it is.
    fn entity(&mut self, mold: &EntityUID) -> EntityUID {
        match self.literal(&mold.eid) {
            Some(literal) => EntityUID { ty: EntityType::clone(&mold.ty), eid: literal.into() },
            None => mold.clone(),
        }
    }

    /// The pattern of `like`: each character by itself, `*` for any run of them.
    fn pattern(&mut self, mold: &[PatternElem]) -> Option<Vec<PatternElem>> {
        let mark: Option<String> = mold
            .iter()
            .map(|part| match part {
                PatternElem::Char(c) => Some(*c),
                PatternElem::Wildcard => None,
            })
            .collect();
        let literal = self.literal(&mark?)?;
        Some(literal.chars().map(|c| if c == '*' { PatternElem::Wildcard } else { PatternElem::Char(c) }).collect())
    }

    fn literal(&mut self, mark: &str) -> Option<&'l str> {
        let literal = marked(mark, self.literals)?;
        self.filled += 1;
        Some(literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &[&str] = &[
        "@id(\"server/a\")\npermit (principal, action in [Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"a\" && context.scopes.containsAll([\"tag:x\", \"tag:y\"]) };",
        "@id(\"server/m1\")\npermit (principal, action in [Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"m0\" && context.scopes.containsAll([\"m9\", \"\"]) };",
        "@id(\"grant/x\")\nforbid (principal == Portcullis::User::\"local/ana\", action in [Portcullis::Action::\"grant\"], resource)\nunless { [Portcullis::Scope::\"tag:a\"].contains(resource) };",
        "@id(\"s\")\nforbid (principal, action, resource) when { resource.name like \"delete_*\" && resource.name == \"m1\" };",
        "@id(\"s\")\nforbid (principal, action, resource) when { resource.name like \"*\u{e9}*m0\" };",
    ];

    #[test]
    fn what_is_made_is_what_parsing_gives() {
        let mut press = Press::default();
        for text in TEXTS {
            for _ in 0..2 {
                let (made, shape) = press.made("p", text).expect(text);
                let parsed = cedar_policy::Policy::parse(Some(cedar_policy::PolicyId::new("p")), text).unwrap();
                assert_eq!(made, parsed, "{text}");
                assert_eq!(shape, Shape::of(&parsed).unwrap(), "{text}");
                assert_eq!(made.to_json().unwrap(), parsed.to_json().unwrap(), "{text}");
                assert_eq!(made.annotation("id"), parsed.annotation("id"));
            }
        }
        assert_eq!(press.molds.len(), 4);
    }

    #[test]
    fn what_is_unusual_is_parsed_as_it_stands() {
        let text = "@id(\"a\\\"b\")\npermit (principal, action, resource);";
        assert!(shape(text).is_none() && Press::default().made("p", text).is_none());
    }
}
