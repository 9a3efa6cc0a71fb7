"""What the emulator lacks of an organisation with several accounts, put into it before it starts.

| module | what it adds |
|---|---|
| `membership` | one organisation, its members, `aws:PrincipalOrgID` |
| `principals` | `aws:PrincipalArn` of a session; what a role in a service's hands may do |
| `request_keys` | `iam:PolicyARN`, `iam:PermissionsBoundary`, `iam:ResourceTag`, `events:source`, `events:detail-type` |
| `resources` | the ARN that a call of IAM is authorised on |
| `controls` | service control policies |
| `trust` | `sts:AssumeRole` across accounts, source identities |
| `buses` | bus policies, `PutTargets` and `PutEvents` across accounts |
| `delivery` | events to buses of other accounts and regions, one hop; permissions of targets; dead letters |
| `voice` | events of AWS itself, which nobody can put |
| `pinned` | the emulator that all of this was written for |

Where AWS refuses, this refuses. What it does not model says each module's own text.
"""


def install():
    """Changes the emulator of this interpreter. It has to run before `ministack.app` is loaded."""
    from ministack.core import iam_evaluator
    from ministack.services.cloudformation import provisioners

    from . import buses, controls, delivery, membership, pinned, principals, request_keys, resources, trust

    pinned.check()
    membership.install(iam_evaluator)
    principals.install()
    request_keys.install()
    resources.install()
    controls.install()
    trust.install()
    buses.install(provisioners)
    delivery.install()
