"""Every attack of the audit in one sentence, for readers who know no statistics."""

ATTACKS = {
    "nearest": "Whoever lies near to a synthetic record is taken for a member.",
    "calibrated": "Whoever lies nearer to a synthetic record than to fresh real ones is taken for a member.",
    "feature": "The same, in what a neural network makes of the pictures instead of pixels.",
    "neighbourhood": "Whoever has many synthetic records around is taken for a member.",
    "density": "Where synthetic records crowd more than fresh real ones do, members are suspected.",
    "auxiliary": "A network learns to tell synthetic from fresh real records; whoever looks synthetic to it is taken for a member.",
    "inversion": "The generator is made to imitate the record; whomever it imitates well is taken for a member.",
    "logit": "Whoever looks more real than others to the discriminator is taken for a member.",
    "confidence": "Whoever is classified with more confidence than others is taken for a member.",
    "class_confidence": "Whoever is classified with more confidence than fresh records of the class is taken for a member.",
    "repeated": "As with confidence, asked about shifted and mirrored copies too, as training made them.",
    "shadow": "The answer is compared with that of models that did not know the record.",
    "lira": "The answer is compared with those of models that knew the record and of models that did not.",
    "lira_shrunk": "As before, with each record's own spread of answers.",
    "lira_offline": "As before, with models that did not know the record alone.",
    "rmia": "The answer is compared with the mean of a few models, half of which knew the record.",
}
