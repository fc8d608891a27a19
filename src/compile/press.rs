//! Policies that differ only in their literals, made from one that is parsed once.
//!
//! What the compiler writes comes in few shapes: one parse of a shape serves the whole process, and the
//! rest is put in by its place. A text that holds anything unusual is parsed as it stands.
//!
//! INVARIANT: what is made is what parsing its text gives, but for an `@id` without other notes, which it
//! need not carry; the test of this module holds that.
//! INVARIANT: no more than [`MOST`] shapes are kept, whatever is compiled.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use cedar_policy::{
    PolicyId, PolicySet,
    pst::{
        Clause, EntityOrSlot, EntityType, EntityUID, Expr, Literal, PatternElem, PolicyID, PrincipalConstraint,
        ResourceConstraint, StaticPolicy, Template,
    },
};

use crate::{
    diagnostic::Place,
    name::{Pattern, ScopeName},
    policy::{Needs, Policy, Shape, evaluated},
    share,
};

/// A policy as a section writes it down.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: String,
    pub(super) text: String,
    /// The line behind it, where there is one.
    pub(super) place: Option<Place>,
    /// An author's condition that stands in it; without one, the compiler wrote all of it.
    pub(super) condition: Option<Place>,
    /// See [`Policy`].
    pub(super) needs: Option<Needs>,
    /// See [`Policy::by_patterns`].
    pub(super) patterns: Vec<Pattern>,
    /// See [`Policy::giving`].
    pub(super) gives: BTreeSet<ScopeName>,
}

/// The shapes that are kept, and those of one configuration besides; beyond that all are forgotten.
const MOST: usize = 1_000;

type Molds = HashMap<Arc<str>, Option<Arc<Mold>>>;

/// The shapes so far; nothing for one that is not made.
static MOLDS: LazyLock<Mutex<Molds>> = LazyLock::new(Mutex::default);

/// What one parse of a shape gave.
#[derive(Debug)]
struct Mold {
    /// The policy with a mark for every literal.
    policy: Template,
    /// What can be said of it, with a mark for the server.
    shape: Shape,
}

/// The policies of texts, in their order; for a text that is not one policy, what Cedar says of it.
pub(super) fn policies(written: &[Written]) -> Vec<Result<Policy, String>> {
    let shapes = share::out(written, 64, |some| {
        some.iter().map(|one| if one.condition.is_none() { shape(&one.text) } else { None }).collect()
    });
    let molds = molds(shapes.iter().flatten().map(|(shape, _)| shape.as_str()));
    let made = |one: &Written, shape: &Option<(String, Vec<&str>)>| {
        let (shape, literals) = shape.as_ref()?;
        let (text, mold) = molds.get(shape.as_str())?;
        Some((text, mold.fill(&one.id, literals)?))
    };
    let policy = |(one, shape): &(&Written, &Option<(String, Vec<&str>)>)| {
        let Written { id, text, place, condition: _, needs, patterns, gives } = one;
        let (place, needs) = (place.clone(), needs.clone());
        let policy = match made(one, shape) {
            Some((mold, made)) => Policy::known(id, text, made, place, needs).out_of(Arc::clone(mold)),
            None => Policy::parse(id, text, place, needs)?,
        };
        Ok(policy.by_patterns(patterns.clone()).giving(gives.clone()))
    };
    let whole: Vec<_> = written.iter().zip(&shapes).collect();
    share::out(&whole, 64, |some| some.iter().map(policy).collect())
}

/// The molds of shapes, those of new ones cast.
fn molds<'s>(shapes: impl Iterator<Item = &'s str>) -> HashMap<&'s str, (Arc<str>, Arc<Mold>)> {
    let shapes: BTreeSet<&str> = shapes.collect();
    let mut kept = MOLDS.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() > MOST {
        kept.clear();
    }
    let new: Vec<&str> = shapes.iter().copied().filter(|shape| !kept.contains_key(*shape)).collect();
    kept.extend(new.iter().zip(cast(&new)).map(|(shape, mold)| (Arc::from(*shape), mold.map(Arc::new))));
    let mold = |shape| {
        let (text, mold) = kept.get_key_value(shape)?;
        Some((shape, (Arc::clone(text), Arc::clone(mold.as_ref()?))))
    };
    shapes.into_iter().filter_map(mold).collect()
}

/// Reads shapes: all of them at once, since setting up Cedar's lexer costs more than most of them do. There
/// is no author's word in any of them.
fn cast(shapes: &[&str]) -> Vec<Option<Mold>> {
    let together = shapes.concat().parse::<PolicySet>().ok().filter(|set| set.policies().count() == shapes.len());
    let mold = |(nth, text): (usize, &&str)| match &together {
        // So Cedar names what it reads.
        Some(set) => Mold::of(text, set.policy(&PolicyId::new(format!("policy{nth}")))?),
        None => Mold::of(text, &cedar_policy::Policy::parse(None, text).ok()?),
    };
    shapes.iter().enumerate().map(mold).collect()
}

impl Mold {
    fn of(text: &str, parsed: &cedar_policy::Policy) -> Option<Self> {
        // What Cedar evaluates in another form than it is written in is read again, as it is written.
        let sugared = ["unless", "!=", ">"].iter().any(|sugar| text.contains(sugar));
        let tree = if sugared { parsed.to_pst() } else { evaluated(parsed).to_pst() };
        Some(Self { policy: tree.ok()?.body().clone(), shape: Shape::of(parsed).ok()? })
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

/// The entities of which each is a type of its own, or as good as one: their names stay.
const NAMED: [&str; 4] = ["Action::", "Anonymous::", "Endpoint::", "Peer::"];

/// A text with a mark in the place of each literal, and the literals. Names of actions and of what the
/// schema counts up stay: what they are says what the policy is about. Nothing where a literal is escaped.
fn shape(text: &str) -> Option<(String, Vec<&str>)> {
    let mut shape = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('"') {
        let (literal, after) = after.split_once('"')?;
        if literal.contains('\\') {
            return None;
        }
        shape.push_str(before);
        if NAMED.iter().any(|entity| before.ends_with(entity)) {
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
        // An id alone says nothing that is not known, and each name of a note is parsed.
        if annotations.keys().all(|name| name == "id") {
            annotations.clear();
        }
        // Of one resource the compiler speaks in conditions.
        if !matches!(mold.resource, ResourceConstraint::Any | ResourceConstraint::Is(_))
            || self.filled != self.literals.len()
        {
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

    const TEXTS: [&str; 6] = [
        "@id(\"server/a\")\npermit (principal, action in [Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"a\" && context.scopes.containsAll([\"tag:x\", \"tag:y\"]) };",
        "@id(\"server/m1\")\npermit (principal, action in [Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"m0\" && context.scopes.containsAll([\"m9\", \"\"]) };",
        "@id(\"grant/x\")\nforbid (principal == Portcullis::User::\"local/ana\", action in [Portcullis::Action::\"grant\"], resource)\nunless { [Portcullis::Scope::\"tag:a\"].contains(resource) };",
        "@id(\"s\")\nforbid (principal, action, resource) when { resource.name like \"delete_*\" && resource.name == \"m1\" };",
        "@id(\"s\")\nforbid (principal, action, resource) when { resource.name like \"*\u{e9}*m0\" };",
        "@id(\"c\")\n@message(\"no\")\nforbid (principal is Portcullis::Peer, action in [Portcullis::Action::\"request\"], resource)\nwhen { context has origin }\nunless { [Portcullis::Endpoint::\"token\"].contains(resource) && context.origin.text != \"null\" && context.n > 1 };",
    ];

    fn written(text: &str) -> Written {
        Written {
            id: "p".into(),
            text: text.into(),
            place: None,
            condition: None,
            needs: None,
            patterns: Vec::new(),
            gives: BTreeSet::new(),
        }
    }

    fn made(text: &str) -> Policy {
        policies(&[written(text)]).remove(0).unwrap()
    }

    /// A text as what is made of it says it: an id that is its only note is left out.
    fn without_id(text: &str) -> &str {
        match text.split_once('\n') {
            Some((id, rest)) if id.starts_with("@id(") && !rest.starts_with('@') => rest,
            _ => text,
        }
    }

    #[test]
    fn what_is_made_is_what_parsing_gives() {
        // Alone, and together with all others.
        let together = policies(&TEXTS.map(written)).into_iter().map(Result::unwrap);
        for (text, together) in TEXTS.iter().zip(together) {
            let parsed = cedar_policy::Policy::parse(Some(cedar_policy::PolicyId::new("p")), without_id(text)).unwrap();
            for made in [together, made(text)] {
                assert_eq!(made.mold.as_deref(), Some(&*shape(text).unwrap().0), "{text}");
                assert_eq!(made.cedar, parsed, "{text}");
                assert_eq!(*made.shape(), Shape::of(&parsed).unwrap(), "{text}");
                assert_eq!(made.cedar.to_json().unwrap(), parsed.to_json().unwrap(), "{text}");
                assert_eq!(made.cedar.annotations().count(), parsed.annotations().count(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_unusual_is_parsed_as_it_stands() {
        for (text, kept) in [
            ("@id(\"a\\\"b\")\npermit (principal, action, resource);", false),
            ("@id(\"a\")\npermit (principal, action, resource == Portcullis::Tool::\"x\");", false),
            ("@id(\"a\")\npermit (principal, action, resource);", true),
        ] {
            let made = made(text);
            assert_eq!(made.text(), text);
            assert_eq!(made.mold.is_some(), kept, "{text}");
        }
        let mut own = written("@id(\"a\")\npermit (principal, action, resource) when { context.own };");
        own.condition = Some(crate::diagnostic::Place { file: "f".into(), line: 1, column: 1, start: 0, end: 0 });
        assert!(policies(&[own]).remove(0).unwrap().mold.is_none());
    }

    #[test]
    fn one_text_that_is_no_policy_is_no_harm_to_others() {
        let good = "@id(\"one\")\npermit (principal, action, resource) when { context.one };";
        for bad in ["permit (principal, action);", "", &good.repeat(2)] {
            let made = policies(&[good, bad, good].map(written));
            assert!(matches!(made.as_slice(), [Ok(_), Err(_), Ok(_)]), "{bad}: {made:?}");
        }
    }
}
