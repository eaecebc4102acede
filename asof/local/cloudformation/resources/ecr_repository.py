"""AWS::ECR::Repository."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class ECRRepository(ResourceType):
    """A repository of container images, as ``cdk bootstrap`` makes one. Nothing here runs images."""

    type = "AWS::ECR::Repository"
    properties = frozenset({"RepositoryName", "ImageTagMutability", "LifecyclePolicy", "RepositoryPolicyText", "Tags"})
    accepted = frozenset({"ImageScanningConfiguration", "EmptyOnDelete"})
    replacing = frozenset({"RepositoryName"})
    name_property = "RepositoryName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateRepository and its policies."""
        name = properties.get("RepositoryName") or context.name().lower()
        context.client("ecr").create_repository(repositoryName=name)
        return self.update(context, name, {}, properties)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """Each policy again."""
        ecr = context.client("ecr")
        mutability = new.get("ImageTagMutability", "MUTABLE")
        ecr.put_image_tag_mutability(repositoryName=physical_id, imageTagMutability=mutability)
        if "LifecyclePolicy" in new:
            text = new["LifecyclePolicy"]["LifecyclePolicyText"]
            ecr.put_lifecycle_policy(repositoryName=physical_id, lifecyclePolicyText=text)
        if "RepositoryPolicyText" in new:
            policy = json.dumps(new["RepositoryPolicyText"])
            ecr.set_repository_policy(repositoryName=physical_id, policyText=policy)
        arn = context.arn("ecr", f"repository/{physical_id}")
        uri = f"{context.account}.dkr.ecr.{context.region}.amazonaws.com/{physical_id}"
        return Deployed(physical_id, {"Arn": arn, "RepositoryUri": uri})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteRepository."""
        ecr = context.client("ecr")
        unless_missing(lambda: ecr.delete_repository(repositoryName=physical_id), "RepositoryNotFoundException")
