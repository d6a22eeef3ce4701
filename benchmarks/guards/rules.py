"""The rules that are compared, as guards of the product."""

from campaign.guards import PLAIN_GUARD, STANDARD_GUARDS, Guard, Metric, Rule


def standard(metric: Metric) -> Guard:
    """The guard on a metric that a campaign has when its definition names none."""
    return next(guard for guard in STANDARD_GUARDS if guard.metric is metric)


#: The product's: over 2 %, and too often for a fleet that meets its target.
PRODUCT = standard(Metric.INSTALLATION_SUCCESS)
#: Over 2 % at any look.
PLAIN = PLAIN_GUARD
#: Over 2 %, from 100 outcomes on: how AWS IoT Jobs aborts a job.
MINIMUM_SAMPLE = PLAIN.model_copy(update={"min_sample": 100})
#: Failures over 2 % of all vehicles of the group: the error condition of Eclipse hawkBit.
GROUP_SHARE = PLAIN.model_copy(update={"mode": Rule.GROUP_SHARE})

RULES = {
    "plain: over 2 %": PLAIN,
    "over 2 %, from 100 on": MINIMUM_SAMPLE,
    "over 2 % of the group": GROUP_SHARE,
    "Ringmaster": PRODUCT,
}
