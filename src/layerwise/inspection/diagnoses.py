"""What is wrong with a network, its training or its data, in words: rules, each with its evidence and a remedy."""

from layerwise.inspection.rules import SEVERITIES, Diagnosis, Finding, Healthy, Unseen, course, data, network, scores
from layerwise.inspection.rules.case import Case
from layerwise.inspection.subjects import Subject

# What comes first is the likelier cause of what comes after it.
RULES = (
    data.repeated_rows,
    data.telling_input,
    course.divergence,
    course.learning_rate,
    network.separability,
    network.dead_units,
    network.saturation,
    network.gradients,
    course.under_fitting,
    course.over_fitting,
    scores.trivial,
    scores.baselines,
    scores.test_size,
    data.unbalanced_classes,
    data.target_scale,
    data.constant_inputs,
)


def diagnose(subject: Subject) -> Diagnosis:
    """Judge a run, a model or a recipe by every rule; one that lacks its evidence says why, and nothing else.

    The network's units and gradients are looked at on up to 1,000 training rows. A recipe that was not
    trained is judged by its initial weights, its data, and a range test of its learning rate.

    >>> from layerwise.inspection import subject
    >>> found = diagnose(subject({"data": {"kind": "toy", "name": "moons"}, "train": {"learning_rate": 30.0}}))
    >>> found.findings[0].rule, found.findings[0].severity, found.findings[0].key
    ('learning rate', 'warning', 'train.learning_rate')
    """
    case = Case(subject)
    verdicts = [rule(case) for rule in RULES]
    findings = sorted(
        (verdict for verdict in verdicts if isinstance(verdict, Finding)),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    return Diagnosis(
        subject.name,
        tuple(findings),
        tuple(verdict for verdict in verdicts if isinstance(verdict, Healthy)),
        tuple(verdict for verdict in verdicts if isinstance(verdict, Unseen)),
    )
