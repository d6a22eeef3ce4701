"""What vehicles ask a gateway, as bytes; a vehicle's token is its VIN."""


def poll(vin: str) -> bytes:
    """The request of a poll."""
    return (
        f"GET /DEFAULT/controller/v1/{vin} HTTP/1.1\r\nHost: gateway\r\n"
        f"Authorization: TargetToken {vin}\r\nAccept: application/hal+json\r\n\r\n"
    ).encode()


def report(vin: str, action: int, execution: str = "closed", finished: str = "success") -> bytes:
    """The request that tells how an installation goes."""
    status = f'{{"execution":"{execution}","result":{{"finished":"{finished}"}},"details":["some words"]}}'
    body = f'{{"id":"{action}","status":{status}}}'
    return (
        f"POST /DEFAULT/controller/v1/{vin}/deploymentBase/{action}/feedback HTTP/1.1\r\nHost: gateway\r\n"
        f"Authorization: TargetToken {vin}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
