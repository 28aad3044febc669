//! Members that are objects or arrays, or strings that hold one.
//!
//! Promise: borrowed where the event holds JSON; read from a copy where a shipper made it a string.
//! Unknown members are passed over.
//! Never here: which members an event needs.

use std::borrow::Cow;

use crate::{
    cursor::{Cursor, Fault},
    event::{Cause, Details, ObjectRef, Status, User, own_pairs, own_texts},
};

type Text<'a> = Cow<'a, str>;

/// Something that stands in an event as JSON, or as a string of JSON after a shipper flattened it.
pub(crate) trait Nested {
    /// Borrowed from a text.
    type Of<'t>;
    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Self::Of<'t>, Fault>;
    fn own<'o>(of: Self::Of<'_>) -> Self::Of<'o>;
    /// From a string that holds no JSON, where that can be meant.
    fn bare<'o>(_text: &str) -> Option<Self::Of<'o>> {
        None
    }
}

/// The value that comes next, if it is not `null`.
#[inline]
pub(crate) fn nested<'a, N: Nested>(
    member: &'static str,
    cursor: &mut Cursor<'a>,
) -> Result<Option<N::Of<'a>>, Fault> {
    match cursor.peek()? {
        b'{' | b'[' => N::read(member, cursor).map(Some),
        b'"' => from_string::<N>(member, &cursor.string(member)?, cursor),
        _ if cursor.text(member)?.is_empty() => Ok(None),
        _ => Err(Fault::Shape { member, expected: "JSON" }),
    }
}

/// The slow way: the value is a string, so what it holds cannot be borrowed.
#[cold]
fn from_string<'a, N: Nested>(
    member: &'static str,
    text: &str,
    outer: &Cursor<'_>,
) -> Result<Option<N::Of<'a>>, Fault> {
    let text = text.trim();
    if matches!(text, "" | "null" | "-") {
        return Ok(None);
    }
    if !text.starts_with(['{', '['])
        && let Some(bare) = N::bare(text)
    {
        return Ok(Some(bare));
    }
    let mut cursor = Cursor::new(text, 0, outer.limits());
    match N::read(member, &mut cursor) {
        Ok(of) if cursor.at() == text.len() => Ok(Some(N::own(of))),
        Err(fault @ (Fault::TooLong { .. } | Fault::TooMany { .. })) => Err(fault),
        _ => Err(Fault::Shape { member, expected: "JSON" }),
    }
}

/// Reads an object into a value, member by member.
#[inline]
fn object<'t, T: Default>(
    member: &'static str,
    cursor: &mut Cursor<'t>,
    mut set: impl FnMut(&mut T, &str, &mut Cursor<'t>) -> Result<(), Fault>,
) -> Result<T, Fault> {
    let mut value = T::default();
    entries(member, cursor, |key, cursor| set(&mut value, key, cursor))?;
    Ok(value)
}

/// Every member of what must be an object.
#[inline]
fn entries<'t>(
    member: &'static str,
    cursor: &mut Cursor<'t>,
    each: impl FnMut(&Text<'t>, &mut Cursor<'t>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if cursor.peek()? != b'{' {
        return Err(Fault::Shape { member, expected: "an object" });
    }
    cursor.members(each)
}

fn pass(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    cursor.skip().map(drop)
}

impl Nested for User<'_> {
    type Of<'t> = User<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<User<'t>, Fault> {
        object(member, cursor, |user: &mut User<'t>, key, cursor| {
            match key {
                "username" => user.username = cursor.text("user.username")?,
                "uid" => user.uid = cursor.text("user.uid")?,
                "groups" => {
                    user.groups = nested::<Texts>("user.groups", cursor)?.unwrap_or_default();
                }
                "extra" => {
                    user.extra = nested::<Extra>("user.extra", cursor)?.unwrap_or_default();
                }
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: User<'_>) -> User<'o> {
        of.into_owned()
    }
}

impl Nested for ObjectRef<'_> {
    type Of<'t> = ObjectRef<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<ObjectRef<'t>, Fault> {
        object(member, cursor, |object: &mut ObjectRef<'t>, key, cursor| {
            match key {
                "resource" => object.resource = cursor.text("objectRef.resource")?,
                "namespace" => object.namespace = cursor.text("objectRef.namespace")?,
                "name" => object.name = cursor.text("objectRef.name")?,
                "uid" => object.uid = cursor.text("objectRef.uid")?,
                "apiGroup" => object.api_group = cursor.text("objectRef.apiGroup")?,
                "apiVersion" => object.api_version = cursor.text("objectRef.apiVersion")?,
                "resourceVersion" => {
                    object.resource_version = cursor.text("objectRef.resourceVersion")?;
                }
                "subresource" => object.subresource = cursor.text("objectRef.subresource")?,
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: ObjectRef<'_>) -> ObjectRef<'o> {
        of.into_owned()
    }
}

impl Nested for Status<'_> {
    type Of<'t> = Status<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Status<'t>, Fault> {
        object(member, cursor, |status: &mut Status<'t>, key, cursor| {
            match key {
                "code" => {
                    let text = cursor.text("responseStatus.code")?;
                    status.code = text.parse().unwrap_or_default();
                }
                "status" => status.status = cursor.text("responseStatus.status")?,
                "reason" => status.reason = cursor.text("responseStatus.reason")?,
                "message" => status.message = cursor.text("responseStatus.message")?,
                "details" => {
                    let details = nested::<Details<'_>>("responseStatus.details", cursor)?;
                    status.details = details.map(Box::new);
                }
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: Status<'_>) -> Status<'o> {
        of.into_owned()
    }
}

impl Nested for Details<'_> {
    type Of<'t> = Details<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Details<'t>, Fault> {
        object(member, cursor, |details: &mut Details<'t>, key, cursor| {
            match key {
                "name" => details.name = cursor.text("responseStatus.details.name")?,
                "group" => details.group = cursor.text("responseStatus.details.group")?,
                "kind" => details.kind = cursor.text("responseStatus.details.kind")?,
                "uid" => details.uid = cursor.text("responseStatus.details.uid")?,
                "causes" if cursor.peek()? == b'[' => details.causes = causes(cursor)?,
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: Details<'_>) -> Details<'o> {
        of.into_owned()
    }
}

fn causes<'t>(cursor: &mut Cursor<'t>) -> Result<Vec<Cause<'t>>, Fault> {
    const MEMBER: &str = "responseStatus.details.causes";
    let mut causes = Vec::new();
    cursor.elements(|cursor| {
        room(causes.len(), MEMBER, cursor)?;
        causes.push(object(MEMBER, cursor, |cause: &mut Cause<'t>, key, cursor| {
            match key {
                "reason" => cause.reason = cursor.text(MEMBER)?,
                "message" => cause.message = cursor.text(MEMBER)?,
                "field" => cause.field = cursor.text(MEMBER)?,
                _ => pass(cursor)?,
            }
            Ok(())
        })?);
        Ok(())
    })?;
    Ok(causes)
}

/// A list of strings.
pub(crate) struct Texts;

impl Nested for Texts {
    type Of<'t> = Vec<Text<'t>>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Vec<Text<'t>>, Fault> {
        if cursor.peek()? != b'[' {
            return Err(Fault::Shape { member, expected: "a list" });
        }
        let mut texts = Vec::new();
        cursor.elements(|cursor| {
            room(texts.len(), member, cursor)?;
            texts.push(cursor.text(member)?);
            Ok(())
        })?;
        Ok(texts)
    }

    fn own<'o>(of: Vec<Text<'_>>) -> Vec<Text<'o>> {
        own_texts(of)
    }

    fn bare<'o>(text: &str) -> Option<Vec<Text<'o>>> {
        Some(vec![Cow::Owned(text.to_owned())])
    }
}

/// A map of strings.
pub(crate) struct Pairs;

impl Nested for Pairs {
    type Of<'t> = Vec<(Text<'t>, Text<'t>)>;

    fn read<'t>(
        member: &'static str,
        cursor: &mut Cursor<'t>,
    ) -> Result<Vec<(Text<'t>, Text<'t>)>, Fault> {
        let mut pairs = Vec::new();
        entries(member, cursor, |key, cursor| {
            room(pairs.len(), member, cursor)?;
            pairs.push((key.clone(), cursor.text(member)?));
            Ok(())
        })?;
        Ok(pairs)
    }

    fn own<'o>(of: Vec<(Text<'_>, Text<'_>)>) -> Vec<(Text<'o>, Text<'o>)> {
        own_pairs(of)
    }
}

/// A map of lists of strings, as pairs.
struct Extra;

impl Nested for Extra {
    type Of<'t> = Vec<(Text<'t>, Text<'t>)>;

    fn read<'t>(
        member: &'static str,
        cursor: &mut Cursor<'t>,
    ) -> Result<Vec<(Text<'t>, Text<'t>)>, Fault> {
        let mut pairs = Vec::new();
        entries(member, cursor, |key, cursor| {
            if cursor.peek()? != b'[' {
                room(pairs.len(), member, cursor)?;
                pairs.push((key.clone(), cursor.text(member)?));
                return Ok(());
            }
            cursor.elements(|cursor| {
                room(pairs.len(), member, cursor)?;
                pairs.push((key.clone(), cursor.text(member)?));
                Ok(())
            })
        })?;
        Ok(pairs)
    }

    fn own<'o>(of: Vec<(Text<'_>, Text<'_>)>) -> Vec<(Text<'o>, Text<'o>)> {
        own_pairs(of)
    }
}

/// Whether one more entry may come.
#[inline]
fn room(length: usize, member: &'static str, cursor: &Cursor<'_>) -> Result<(), Fault> {
    if length < cursor.limits().entries_max { Ok(()) } else { Err(Fault::TooMany { member }) }
}
