"""Every port shows a certificate that programs and other servers can check."""

from __future__ import annotations

from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import (
    PARSES,
    AcmeCertificate,
    FileContent,
    Folder,
    PostfixParameters,
    PrivateAuthority,
    PrivateCertificate,
    Service,
    acme,
)
from mailwizard.fields import Choice, EmailAddress, HostName, Listing, Path, Url
from mailwizard.maincf import postconf
from mailwizard.model import Change, Context, Probe, Question, Record, Step
from mailwizard.platform import facts
from mailwizard.render import render
from mailwizard.steps import hostname

# only suites with forward secrecy and an AEAD are left (Mozilla intermediate)
WEAK = "aNULL, kRSA, kDHE, SHA1, SHA256, SHA384, ARIA, CAMELLIA, AESCCM"
MODERN = ">=TLSv1.2"
# what OpenSSL offers by itself, without SHA-1
SIGNATURES = (
    *(f"ECDSA+SHA{bits}" for bits in (256, 384, 512)),
    *("ed25519", "ed448"),
    *(f"RSA-PSS+SHA{bits}" for bits in (256, 384, 512)),
    *(f"RSA+SHA{bits}" for bits in (256, 384, 512)),
)
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
REHEARSAL = "https://acme-staging-v02.api.letsencrypt.org/directory"


def material(context: Context) -> tuple[str, str]:
    """Where chain and key are: our own files, or the administrator's."""
    if context["source"] == "files":
        return context["chain"], context["key"]
    if context["source"] == "acme":
        return f"{acme.LIVE}/fullchain.pem", f"{acme.LIVE}/privkey.pem"
    folder = context.platform.path("tls")
    return f"{folder}/fullchain.pem", f"{folder}/mail.key"


def openssl_settings(context: Context) -> str:
    """Where OpenSSL's settings for Postfix are."""
    return f"{context.platform.path('postfix')}/openssl.cnf"


def parameters(context: Context) -> dict[str, str]:
    """TLS in both directions of Postfix."""
    chain, key = material(context)
    return {
        "smtpd_tls_chain_files": f"{key}, {chain}",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_auth_only": "yes",
        "smtpd_tls_protocols": MODERN,
        "smtpd_tls_mandatory_protocols": MODERN,
        "smtpd_tls_ciphers": "high",
        "smtpd_tls_mandatory_ciphers": "high",
        "smtpd_tls_exclude_ciphers": WEAK,
        "tls_preempt_cipherlist": "yes",
        "tls_config_file": openssl_settings(context),
        "tls_config_name": "postfix",
        "tls_ssl_options": "NO_COMPRESSION, NO_RENEGOTIATION",
        "smtpd_tls_received_header": "yes",
        "smtpd_tls_loglevel": "1",
        "smtp_tls_security_level": "may",
        "smtp_tls_CAfile": context.platform.path("ca-bundle"),
        "smtp_tls_loglevel": "1",
    }


def plan(context: Context) -> Iterator[Change]:
    """The certificate first, then both daemons, each proved before it is told."""
    chain, key = material(context)
    names = tuple(context["names"])
    if context["source"] == "private-ca":
        folder = context.platform.path("tls")
        yield PrivateAuthority(folder, context.of("postfix")["domains"][0])
        yield PrivateCertificate(folder, names)
    if context["source"] == "acme":
        yield certificate(context)
        # certbot makes the folder when it is first run
        yield FileContent(acme.HOOK, deploy_hook(context), mode=0o755)
    elif of_certbot(context):
        # somebody else's certificate, whose renewals our daemons must hear of, too
        folder = acme.HOOK.rpartition("/")[0]
        yield from (Folder(folder.rpartition("/")[0]), Folder(folder))
        yield FileContent(acme.HOOK, deploy_hook(context), mode=0o755)
    settings = render("postfix/openssl.cnf.j2", algorithms=SIGNATURES)
    yield FileContent(openssl_settings(context), settings)
    yield PostfixParameters(parameters(context))
    version, folder = facts.dovecot(context.look), context.platform.path("dovecot.conf.d")
    text = render(f"dovecot/{version}-tls.conf.j2", chain=chain, key=key)
    yield FileContent(f"{folder}/99-mailwizard-tls.conf", text)
    proof = (probes.CertificateFiles(chain, key),)
    yield Service("postfix", worker="postfix-worker", validate=PARSES, guards=proof, ready=(25,))
    yield Service("dovecot", validate=(("doveconf", "-n"),), guards=proof, reads="dovecot")
    if context["source"] == "acme":
        yield Service("acme", "restart")


def of_certbot(context: Context) -> bool:
    """Whether the administrator's files are those of a certificate that certbot looks after."""
    return context["source"] == "files" and acme.looks_after(context.look, context["chain"] or "")


def deploy_hook(context: Context) -> str:
    """What certbot runs after each renewal."""
    units = [context.platform.unit(role) for role in ("postfix", "dovecot")]
    return render("certbot/deploy-hook.sh.j2", units=units)


def probe(context: Context) -> Iterator[Probe]:
    """What each port really serves."""
    chain, key = material(context)
    names = tuple(context["names"])
    authority = f"{context.platform.path('tls')}/ca.pem"
    trust = authority if context["source"] == "private-ca" else ""
    if authorised := issuer(context):
        yield probes.AuthorityAllowed(names, authorised)
    yield probes.CertificateFiles(chain, key)
    yield probes.CertificateNames(chain, names)
    yield probes.CertificateDates(chain, renewed=context["source"] == "acme")
    for kind in (probes.CertificateKey, probes.CertificateSigned, probes.CertificateKind):
        yield kind(chain)
    if context["source"] == "acme":
        yield probes.RenewalRehearsed(
            acme.HOOK,
            deploy_hook(context),
            context.platform.unit("acme"),
            context["staging"] or context["directory"],
            context["webroot"] or "",
        )
    if of_certbot(context):
        yield probes.RenewalFollowed(acme.HOOK, deploy_hook(context))
    yield probes.OffersStartTls()
    yield probes.NoAuthOnPort25()
    yield probes.NoSmtpInjection()
    yield probes.WrapperModeScoped()
    for port, protocol in ((25, "smtp"), (993, "")):
        yield from port_probes(port, protocol, names, chain, trust)


def port_probes(
    port: int, protocol: str, names: tuple[str, ...], chain: str, trust: str
) -> Iterator[Probe]:
    """What every port that speaks TLS must show; protocol is how TLS begins there."""
    yield probes.TlsVersions(port, protocol)
    yield probes.TlsSuites(port, protocol)
    yield probes.TlsGroups(port, protocol)
    yield probes.ServedChain(port, protocol, names[0], trust)
    yield probes.ServedIsOnDisk(port, protocol, names[0], chain)
    yield probes.AnySni(port, protocol, names[0])
    yield probes.TlsExtras(port, protocol)


def default_names(context: Context) -> list[str]:
    """The host's name, and imap. and smtp. of the domain where they lead here."""
    fqdn: str = context.of("hostname")["fqdn"]
    domain = context.of("postfix")["domains"][0]
    own = set(hostname.all_addresses(context))
    found = [f"{name}.{domain}" for name in ("imap", "smtp")]
    return [fqdn, *(n for n in found if n != fqdn and own & set(facts.resolved(context.look, n)))]


def issuer(context: Context) -> str:
    """What CAA records call the authority in use; empty where that is not known."""
    return (
        "letsencrypt.org"
        if context["source"] == "acme" and context["directory"] == LETS_ENCRYPT
        else ""
    )


def records(context: Context) -> Iterator[Record]:
    """No other authority may make certificates for these names (RFC 8659); the rest stay free."""
    if authorised := issuer(context):
        why = "Only this authority may make certificates for the name."
        for name in context["names"]:
            yield Record(name, "CAA", f'0 issue "{authorised}"', why, required=False)


def review(context: Context) -> Iterator[tuple[str, str]]:
    """Files and folders are looked into before anything is changed for them."""
    webroot = context["webroot"] if context["source"] == "acme" else None
    if webroot and context.look.state(webroot).kind not in ("dir", "link"):
        yield "webroot", f"{webroot} is not a folder here; give the one that the web server serves"
    alone = context["source"] == "acme" and not webroot
    if alone and (barred := certificate(context).barred(context.look)):
        yield "webroot", barred
    if context["source"] != "files":
        return
    missing = [name for name in ("chain", "key") if not context[name]]
    for name in missing:
        yield name, "is needed when the source is files; give the full path of a PEM file"
    # what serves already is judged by the checks: a run must not end because it has expired
    if not missing and not in_service(context):
        yield from probes.given(context.look, context["chain"], context["key"], context["names"])


def certificate(context: Context) -> AcmeCertificate:
    """What an authority is asked for."""
    ways = [context[name] or "" for name in ("email", "staging", "webroot")]
    return AcmeCertificate(tuple(context["names"]), context["directory"], *ways)


def in_service(context: Context) -> bool:
    """Whether Postfix is already set to chain and key."""
    chain, key = material(context)
    asked = postconf(context.look, "-h", "smtpd_tls_chain_files")
    return asked.ok and asked.out.replace(",", " ").split() == [key, chain]


STEP = Step(
    id="certificates",
    title="Certificates",
    explain=(
        "Mail programs and other servers talk to this host encrypted, and check its certificate. "
        "A private authority costs nothing and needs nobody, but each mail program has to import "
        "it once: the file ca.pem, which this step makes; the check 'The certificate can be "
        "verified' says where it is. An ACME authority such as Let's Encrypt is trusted "
        "everywhere; it must reach this host on port 80 by each of the names. Certificates of "
        "your own can be given as files."
    ),
    questions=(
        Question(
            name="source",
            label="Certificate from",
            kind=Choice(("private-ca", "acme", "files")),
            default=lambda _context: "private-ca",
            help=(
                "private-ca: made here, and made anew by `mailwizard apply` when a third of its "
                "825 days is left. acme: Let's Encrypt or another; renewed by itself. files: what "
                "you have."
            ),
        ),
        Question(
            name="names",
            label="Names in the certificate",
            kind=Listing(HostName(), least=1),
            default=default_names,
            help="Every name that mail programs are told to connect to.",
        ),
        Question(
            name="directory",
            label="ACME directory",
            kind=Url(),
            default=lambda _context: LETS_ENCRYPT,
            help=(
                "The authority's address; Let's Encrypt unless you have another one. This host "
                "must trust the CA that vouches for that address."
            ),
        ),
        Question(
            name="staging",
            label="ACME directory to rehearse with",
            kind=Url(),
            default=lambda context: REHEARSAL if context["directory"] == LETS_ENCRYPT else None,
            help="The same is tried there first: mistakes do not use up the real one's limits.",
            optional=True,
        ),
        Question(
            name="email",
            label="Address for the authority",
            kind=EmailAddress(),
            default=lambda context: f"postmaster@{context.of('postfix')['domains'][0]}",
            help="Where the authority writes when something is wrong with the certificate.",
            optional=True,
        ),
        Question(
            name="webroot",
            label="Folder of the web server on port 80",
            kind=Path(),
            default=lambda _context: None,
            help="Leave it empty where nothing else uses port 80.",
            optional=True,
        ),
        Question(
            name="chain",
            label="Certificate chain (PEM)",
            kind=Path(),
            default=lambda _context: None,
            help=(
                "This server's certificate first, then the authorities between. Whatever renews it "
                "must run `systemctl reload postfix dovecot` afterwards; certbot is told so by "
                "this step."
            ),
            optional=True,
        ),
        Question(
            name="key",
            label="Private key (PEM)",
            kind=Path(),
            default=lambda _context: None,
            help="Readable by root alone.",
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda context: (
        "certificates",
        *(("acme",) if context["source"] == "acme" else ()),
    ),
    records=records,
    needs=("postfix", "dovecot"),
    review=review,
)
