"""AWS::Glue::Job."""

from __future__ import annotations

from botocore.exceptions import ClientError

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, pick, refuse, tag_map

_TAKEN = (
    "Name",
    "Description",
    "Role",
    "ExecutionProperty",
    "Command",
    "DefaultArguments",
    "NonOverridableArguments",
    "MaxRetries",
    "Timeout",
    "GlueVersion",
    "NumberOfWorkers",
    "WorkerType",
    "ExecutionClass",
)


class GlueJob(ResourceType):
    """A job as it is described; to run one is refused (``asof.local.services.glue_jobs``)."""

    type = "AWS::Glue::Job"
    properties = frozenset({*_TAKEN, "Tags"})
    replacing = frozenset({"Name"})
    name_property = "Name"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateJob."""
        name = str(properties.get("Name") or context.name())
        try:
            context.client("glue").get_job(JobName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
        else:
            raise refuse(context, f"make a job {name!r}: there is one of that name")
        return self._put(context, name, properties)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """CreateJob once more, which here replaces the description, as UpdateJob does on AWS."""
        return self._put(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteJob, which takes a job that is gone for deleted."""
        context.client("glue").delete_job(JobName=physical_id)

    def _put(self, context: Context, name: str, properties: Properties) -> Deployed:
        parameters = {**pick(properties, *_TAKEN), "Name": name, "Tags": tag_map(properties.get("Tags"))}
        context.client("glue").create_job(**parameters)
        return Deployed(name)
