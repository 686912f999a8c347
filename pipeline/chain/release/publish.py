"""A release's tag: set once everything else holds, pushed with its branch or not at all."""

from pipeline.chain.commits import git
from pipeline.chain.history import releases
from pipeline.chain.history.releases import Release
from pipeline.chain.lock import lockfile
from pipeline.chain.release import signing, tagged
from pipeline.chain.release.signing import Subject
from pipeline.chain.verify import manifest_check
from pipeline.common.errors import GraftError


def signature(tag: str, key: str | None) -> str | None:
    """HEAD's signature as that release; None where nobody asks for one.

    Raises:
        GraftError: the team has signers and there is no key, or another's; or signing failed.
    """
    signers, key = signing.trusted(), key or signing.configured_key()
    if key is None:
        if signers:
            raise GraftError(
                f"not released: {signing.SIGNERS}/ asks for a signature and there is no key",
                help="graft release --sign KEY, or git config graft.signingKey KEY",
            )
        return None
    subject = Subject(tag=tag, commit=git.head())
    signed = signing.sign(subject, key)
    if signers and signing.signer_of(subject, signed, signers) is None:
        raise GraftError(
            f"not released: {key} is not the key of a signer in {signing.SIGNERS}/",
            [f"known: {', '.join(sorted(signers))}"],
            help="docs/how-to/signing.md says how to add a signer",
        )
    return signed


def set_tag(tag: str, commit: manifest_check.Commit, signed: str | None) -> None:
    """Set the annotated tag on HEAD: the release."""
    message = tagged.message(tag, tagged.facts(git.head(), commit.lock, releases.MANIFEST.read_bytes()))
    if signed:
        message += f"\n{signing.armored(signed)}"
    git.run("tag", "--annotate", "--cleanup=verbatim", "--file=-", tag, stdin=message.encode())


def left_behind(held: Release) -> bool:
    """Whether HEAD's own release is a tag here and not on origin."""
    return held.commit == git.head() and git.has_origin() and held.tag not in git.remote_tags(held.tag)


def has_moved_on() -> bool:
    """Whether origin's default branch holds commits that HEAD does not stand on.

    Raises:
        GraftError: origin cannot be reached.
    """
    tip = git.remote_heads().get(git.default_branch())
    return tip is not None and not git.succeeds("merge-base", "--is-ancestor", tip, "HEAD")


def push(tag: str) -> str:
    """Push branch and tag, both or neither; a tag that cannot be pushed does not stay. Returns what was done.

    Tags of the chain that origin lacks go along: without them no other clone knows the release's parents.
    """
    main = git.default_branch()
    try:
        known = git.remote_tag_ids("v*")
        chain = [release.tag for release in releases.chain(lockfile.load(), releases.read().releases)]
        behind = [parent for parent in chain if parent not in known and parent != tag]
        git.run("push", "--atomic", "origin", f"HEAD:{main}", tag, *behind)
    except GraftError as error:
        git.run("tag", "--delete", tag)
        raise GraftError(
            f"not released: origin took neither {main} nor {tag}; the tag is gone again, commit and outputs stay",
            [error.message, *error.problems],
            help="git pull; where main moved to a newer release, graft lock --parent latest and dvc repro",
        ) from None
    return f"published: {', '.join([tag, *behind])} and {main} are on origin"
