"""Side effects of a campaign, thin: each activity is one transaction, and harmless when run twice."""
